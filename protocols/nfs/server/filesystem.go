package server

import (
	"context"
	"net/netip"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// FileSystem is what an Export serves, by handles of its own of at most nfs.MaxHandle bytes. Many goroutines use it.
type FileSystem interface {
	nfs.FileSystem // every procedure but READ
	// Now executes a GETATTR, LOOKUP or ACCESS if that needs no waiting, and says whether it did; r is as after Do. It allocates nothing.
	Now(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) bool
	// ReadNow executes a READ if that needs no waiting, and says whether it did. r's Data stays empty: the r.Count bytes are appended to
	// data. It allocates nothing.
	ReadNow(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data Sink) bool
	// Read executes a READ, likewise. An error is as that of Do.
	Read(ctx context.Context, c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data Sink) error
}

// Sink takes the pieces of a READ's data, in order. A piece's bytes stay as they are until owner.Release(token) is called, once; nil needs no
// release. *rpc.Data is one.
type Sink = interface {
	Add(p []byte, owner rpc.Releaser, token uint64)
}

// Export is a directory that is served, and to whom.
type Export struct {
	ID    uint16 // in its handles: never another's
	Path  string // what clients mount, clean and absolute
	Files FileSystem
	// Root returns the handle of its root directory, or an error while there is none: then MNT answers that the export isn't ready.
	Root func(ctx context.Context) (nfs.Handle, error)

	Clients     []netip.Prefix // who may use it; empty: everybody
	Squash      Squash
	Anon        nfs.Caller // who squashed users become
	ReadOnly    bool
	SecurePorts bool // clients must call from a port below 1024
}

// Squash says which users become Anon.
type Squash int

// The ways to squash.
const (
	SquashNone Squash = iota
	SquashRoot        // user id 0; and group id 0 among groups
	SquashAll
)

// Observer is told of each procedure that was answered; it must not wait, and its methods must not allocate where hits are not to. size is
// how many bytes of file data were asked for or came.
type Observer interface {
	Observe(e *Export, p nfs.Procedure, size int, took time.Duration, s nfs.Status)
}
