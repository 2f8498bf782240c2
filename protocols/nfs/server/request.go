package server

import (
	"context"
	"errors"
	"math"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// request is one call on its way. It is one goroutine's, and comes from a pool: what it refers to is let go when it is over.
type request struct {
	s            *Server
	call         *rpc.Call
	proc         nfs.Procedure
	args, result nfs.Message
	began        time.Time

	export *export // once its first handle has been opened
	caller nfs.Caller
	groups [16]uint32

	in  xdr.Decoder
	hot hot
}

// hot are the messages of the procedures that are answered at once, so that they need not be allocated.
type hot struct {
	getAttr       nfs.HandleArgs
	getAttrResult nfs.GetAttrResult
	lookup        nfs.DirOp
	lookupResult  nfs.LookupResult
	access        nfs.AccessArgs
	accessResult  nfs.AccessResult
	read          nfs.ReadArgs
	readResult    nfs.ReadResult
	sealed        [nfs.MaxHandle]byte // the handle in lookupResult
}

func (s *Server) take(c *rpc.Call) *request {
	r := s.requests.Get().(*request)
	r.call, r.proc = c, nfs.Procedure(c.Procedure)
	switch r.proc {
	case nfs.ProcGetAttr:
		r.args, r.result = &r.hot.getAttr, &r.hot.getAttrResult
	case nfs.ProcLookup:
		r.args, r.result = &r.hot.lookup, &r.hot.lookupResult
	case nfs.ProcAccess:
		r.args, r.result = &r.hot.access, &r.hot.accessResult
	case nfs.ProcRead:
		r.args, r.result = &r.hot.read, &r.hot.readResult
	default:
		r.args, r.result = nfs.NewMessages(r.proc)
	}
	if s.observer != nil {
		r.began = s.now()
	}
	return r
}

func (r *request) give() {
	s := r.s
	*r = request{s: s}
	s.requests.Put(r)
}

// garbage is no status: the arguments can't be decoded.
const garbage nfs.Status = math.MaxUint32

// prepare takes a request to where it can be executed. Unless s is OK it ends there with s. With atOnce it must not wait;
// ready is false if it would have to.
func (r *request) prepare(wait context.Context) (s nfs.Status, ready bool) {
	r.in = xdr.NewDecoder(r.call.Args)
	r.args.Decode(&r.in)
	tooLong := errors.Is(r.in.Err(), nfs.ErrNameTooLong)
	if r.in.Err() != nil && !tooLong {
		return garbage, true
	}
	first, second := handlesOf(r.args)
	e, s, ready := r.open(wait, first)
	if s != nfs.OK || !ready {
		return s, ready
	}
	if s := r.enter(e); s != nfs.OK {
		return s, true
	}
	if tooLong {
		return nfs.ErrNameTooLong, true
	}
	if second != nil {
		e, s, ready := r.open(wait, second)
		switch {
		case s != nfs.OK || !ready:
			return s, ready
		case e.ID != r.export.ID: // SetExports may have been called in between
			return nfs.ErrXDev, true
		}
	}
	if s := checkNames(r.proc, r.args); s != nfs.OK {
		return s, true
	}
	return checkRange(r.args), true
}

// enter lets the request into an export, as whom the export takes its caller for.
func (r *request) enter(e *export) nfs.Status {
	switch {
	case !e.admits(r.call.Remote):
		return nfs.ErrAcces
	case e.ReadOnly && changes(r.proc):
		return nfs.ErrROFS
	}
	r.export = e
	r.squash(e, &r.call.Cred)
	return nfs.OK
}

// open replaces a client's handle by the file system's own. It waits as prepare does.
func (r *request) open(wait context.Context, h *nfs.Handle) (e *export, s nfs.Status, ready bool) {
	version, id, body, ok := r.s.seal.open(*h)
	if !ok {
		return nil, nfs.ErrBadHandle, true
	}
	if e = r.s.exports.Load().byID[id]; e == nil {
		return nil, nfs.ErrStale, true
	}
	if version == handleLong {
		hash := (*[32]byte)(body)
		if body = r.s.long.cached(hash); body == nil {
			if wait == atOnce {
				return nil, nfs.OK, false
			}
			var err error
			if body, err = r.s.long.load(wait, hash); err != nil {
				return nil, r.s.failed(e, r.proc, err), true
			} else if body == nil {
				return nil, nfs.ErrStale, true
			}
		}
	}
	*h = body
	return e, nfs.OK, true
}

// answer ends a request with its result.
func (r *request) answer() {
	if read, ok := r.result.(*nfs.ReadResult); ok {
		read.EncodeHead(&r.call.Results)
	} else {
		r.result.Encode(&r.call.Results)
	}
	r.observe()
}

// refuse ends a request with a status alone, or garbage.
func (r *request) refuse(s nfs.Status) {
	if s == garbage {
		r.call.Fail(rpc.GarbageArgs)
		return
	}
	r.clear(s)
	r.answer()
}

// clear makes the result one that says a status and nothing else.
func (r *request) clear(s nfs.Status) {
	r.call.Data.Release()
	switch r.proc {
	case nfs.ProcGetAttr, nfs.ProcLookup, nfs.ProcAccess, nfs.ProcRead:
		r.hot.getAttrResult, r.hot.lookupResult, r.hot.accessResult, r.hot.readResult = nfs.GetAttrResult{}, nfs.LookupResult{},
			nfs.AccessResult{}, nfs.ReadResult{}
	default:
		_, r.result = nfs.NewMessages(r.proc)
	}
	*nfs.StatusOf(r.result) = s
}

func (r *request) observe() {
	if r.s.observer == nil || r.export == nil {
		return
	}
	status, size := *nfs.StatusOf(r.result), 0
	switch m := r.result.(type) {
	case *nfs.ReadResult:
		size = r.call.Data.Len()
	case *nfs.WriteResult:
		if size = len(r.args.(*nfs.WriteArgs).Data); status == nfs.OK {
			size = int(m.Count)
		}
	}
	r.s.observer.Observe(r.export.Export, r.proc, size, r.s.now().Sub(r.began), status)
}
