package export

import (
	"context"
	"errors"
	"time"

	"forebay/cachecore/volume"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/server"
)

// ReadNow implements server.FileSystem.
func (e *Export) ReadNow(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data server.Sink) bool {
	n := e.table.find(a.File)
	if n == nil {
		return false
	}
	v, due := n.readable(c, a, r)
	if v == nil || r.Count > 0 && !v.ReadNow(data, int64(a.Offset), int(r.Count)) {
		return false
	}
	if due {
		e.prefetch(n)
	}
	return true
}

// readable says what a READ would answer, apart from the data, and whence that comes; nil if the array has to be asked. due says that the reader
// comes to the end of what was read ahead.
func (n *node) readable(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult) (v *volume.Volume, due bool) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.volume == nil || !n.mu.view.fresh(now) || !n.mu.grants.allows(c, mayRead, now) {
		return nil, false
	}
	n.mu.view.clip(a, r)
	return n.mu.volume, n.mu.ahead.reads(int64(a.Offset), int64(r.Count))
}

// clip is the result of a READ of a file of the size that is known, without the data.
func (v *view) clip(a *nfs.ReadArgs, r *nfs.ReadResult) {
	count := uint64(a.Count)
	if a.Offset >= v.attr.Size {
		count = 0
	} else {
		count = min(count, v.attr.Size-a.Offset)
	}
	*r = nfs.ReadResult{Attr: nfs.Some(v.attr), Count: uint32(count), EOF: a.Offset+count >= v.attr.Size}
}

// Read implements server.FileSystem.
func (e *Export) Read(ctx context.Context, c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data server.Sink) error {
	n := e.table.use(a.File)
	defer e.table.letGo(n)
	err := e.read(ctx, c, n, a, r, data)
	if refused(err) { // the user on whose behalf blocks were read may no longer; this one may
		n.revoke()
		err = e.read(ctx, c, n, a, r, data)
	}
	var status nfs.Status
	if errors.As(err, &status) {
		*r = nfs.ReadResult{Status: status}
		return nil
	}
	return e.answer(err)
}

func refused(err error) bool { return errors.Is(err, nfs.ErrAcces) || errors.Is(err, nfs.ErrPerm) }

// revoke takes all grants back.
func (n *node) revoke() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.grants.revoke()
}

func (e *Export) read(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs, r *nfs.ReadResult, data server.Sink) error {
	status, attr, err := e.refresh(ctx, c, n)
	switch {
	case err != nil:
		return err
	case status != nfs.OK:
		return status
	case attr.Type == nfs.Directory:
		return nfs.ErrIsDir
	case attr.Type != nfs.Regular:
		return nfs.ErrInval
	}
	if err := e.permitted(ctx, c, n, a); err != nil {
		return err
	}
	n.mu.Lock()
	if !n.mu.view.known { // it was dropped meanwhile
		n.mu.view.attr = attr
	}
	n.mu.view.clip(a, r)
	n.mu.reader = *c
	due := n.mu.ahead.reads(int64(a.Offset), int64(r.Count))
	n.mu.Unlock()
	if r.Count == 0 {
		return nil
	}
	v := e.volumeOf(n)
	if due {
		e.prefetch(n)
	}
	return v.Read(ctx, data, int64(a.Offset), int(r.Count))
}

// permitted asks the array whether a user may read a file, by reading a byte, unless it has said so a moment ago.
func (e *Export) permitted(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs) error {
	n.mu.Lock()
	allowed, turns := n.mu.grants.allows(c, mayRead, time.Now()), n.mu.grants.turns
	n.mu.Unlock()
	if allowed {
		return nil
	}
	var probe [1]byte
	r := nfs.ReadResult{Data: probe[:]}
	if err := e.ask(ctx, c, nfs.ProcRead, &nfs.ReadArgs{File: n.handle, Offset: a.Offset, Count: 1}, &r); err != nil {
		return err
	}
	if r.Status != nfs.OK {
		return r.Status
	}
	e.grant(n, c, turns, mayRead)
	return nil
}

// grant notes that the array has let a user do something.
func (e *Export) grant(n *node, c *nfs.Caller, turns uint64, r right) {
	if e.opts.AttributeCache == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if g := n.mu.grants.enter(c, turns, time.Now()); g != nil {
		g.rights |= r
	}
}
