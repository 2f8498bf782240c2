package server

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/rpc"
)

// Exports lists the exports, by path, and who may use them.
func (s *Server) Exports() []mount.Export {
	var list []mount.Export
	for _, e := range s.exports.Load().inOrder() {
		x := mount.Export{Dir: e.Path}
		for _, p := range e.clients {
			x.Groups = append(x.Groups, p.String())
		}
		list = append(list, x)
	}
	return list
}

// Mount returns the handle of an export, or of a directory in one. That is looked up as root, as MNT is on behalf of no user: who may do
// what with the handle is decided when it is used. An export that squashes all has no user but one, and so it is looked up as that.
// Symbolic links are not followed.
func (s *Server) Mount(ctx context.Context, client netip.AddrPort, p string) ([]byte, []rpc.Flavor, error) {
	e, rest := s.exports.Load().find(p)
	switch {
	case e == nil:
		return nil, nil, mount.ErrNoEnt
	case !e.admits(client):
		return nil, nil, mount.ErrAcces
	}
	h, err := s.walk(ctx, e, rest)
	if err != nil {
		return nil, nil, fmt.Errorf("mount %s: %w", p, s.mountStatus(e, err))
	}
	r := request{s: s, export: e}
	sealed, _, err := r.wrap(ctx, nil, h)
	if err != nil {
		return nil, nil, fmt.Errorf("mount %s: %w", p, s.mountStatus(e, err))
	}
	return sealed, []rpc.Flavor{rpc.AuthSys, rpc.AuthNone}, nil
}

// walk goes from the root of an export to a directory in it.
func (s *Server) walk(ctx context.Context, e *export, rest string) (nfs.Handle, error) {
	h, err := e.Root(ctx)
	if err != nil || rest == "" {
		return h, err
	}
	caller := nfs.Caller{}
	if e.Squash == SquashAll {
		caller = e.Anon
	}
	for name := range strings.SplitSeq(rest, "/") {
		if len(name) > nfs.MaxName {
			return nil, nfs.ErrNameTooLong
		}
		var l nfs.LookupResult
		if err := e.Files.Do(ctx, &caller, nfs.ProcLookup, &nfs.DirOp{Dir: h, Name: name}, &l); err != nil {
			return nil, err
		} else if l.Status != nfs.OK {
			return nil, l.Status
		}
		h = l.Object
	}
	var g nfs.GetAttrResult
	err = e.Files.Do(ctx, &caller, nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}, &g)
	switch {
	case err != nil:
		return nil, err
	case g.Status != nfs.OK:
		return nil, g.Status
	case g.Attr.Type != nfs.Directory:
		return nil, nfs.ErrNotDir
	}
	return h, nil
}

// mountStatus is what MNT answers. There is none that says to ask later.
func (s *Server) mountStatus(e *export, err error) mount.Status {
	switch m := mount.Status(s.failed(e, nfs.ProcLookup, err)); m {
	case mount.ErrPerm, mount.ErrNoEnt, mount.ErrIO, mount.ErrAcces, mount.ErrNotDir, mount.ErrInval, mount.ErrNameTooLong, mount.ErrNotSupp:
		return m
	}
	return mount.ErrServerFault
}
