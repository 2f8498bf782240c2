package server

import (
	"context"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// atOnce is no context: what takes one must not wait.
var atOnce context.Context

// Inline answers a GETATTR, LOOKUP, ACCESS or READ that the file system can execute without waiting, and what is wrong with one.
func (s *Server) Inline(c *rpc.Call) bool {
	switch nfs.Procedure(c.Procedure) {
	case nfs.ProcGetAttr, nfs.ProcLookup, nfs.ProcAccess, nfs.ProcRead:
	default:
		return false
	}
	r := s.take(c)
	defer r.give()
	status, ready := r.prepare(atOnce)
	switch {
	case !ready:
		return false
	case status == nfs.OK:
		return r.now()
	}
	r.refuse(status)
	return true
}

// now executes a request if that needs no waiting.
func (r *request) now() bool {
	switch a := r.args.(type) {
	case *nfs.ReadArgs:
		if !r.export.Files.ReadNow(&r.caller, a, &r.hot.readResult, &r.call.Data) {
			return false
		}
		r.checkRead()
	case *nfs.DirOp:
		if a.Name == ".." || !r.export.Files.Now(&r.caller, r.proc, a, r.result) || !r.sealLookup(atOnce) {
			return false
		}
	default:
		if !r.export.Files.Now(&r.caller, r.proc, a, r.result) {
			return false
		}
		r.maskAccess()
	}
	r.answer()
	return true
}
