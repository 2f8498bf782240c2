package export

import (
	"context"
	"errors"
	"slices"
	"time"

	"forebay/cachecore"
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
		e.prefetch(n, r.Attr.Value.Size)
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
	clip(&n.mu.view.attr, a, r)
	return n.mu.volume, n.mu.ahead.reads(int64(a.Offset), int64(r.Count))
}

// clip is the result of a READ of a file with such attributes, without the data.
func clip(attr *nfs.Attr, a *nfs.ReadArgs, r *nfs.ReadResult) {
	count := uint64(a.Count)
	if a.Offset >= attr.Size {
		count = 0
	} else {
		count = min(count, attr.Size-a.Offset)
	}
	*r = nfs.ReadResult{Attr: nfs.Some(*attr), Count: uint32(count), EOF: a.Offset+count >= attr.Size}
}

// Read implements server.FileSystem.
func (e *Export) Read(ctx context.Context, c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult, data server.Sink) error {
	n := e.table.use(a.File)
	defer e.table.letGo(n)
	attr, err := e.admit(ctx, c, n, a)
	if err == nil {
		if err = e.fetch(ctx, c, n, a, &attr, r, data); refused(err) {
			n.revoke() // the user on whose behalf blocks were read may no longer; this one may
			if attr, err = e.admit(ctx, c, n, a); err == nil {
				err = e.fetch(ctx, c, n, a, &attr, r, data)
			}
		}
	}
	var status nfs.Status
	if errors.As(err, &status) {
		*r = nfs.ReadResult{Status: status}
		return nil
	}
	return e.answer(err)
}

func refused(err error) bool { return errors.Is(err, nfs.ErrAcces) || errors.Is(err, nfs.ErrPerm) }

// admit says what is to be read, or why a user may not read it.
func (e *Export) admit(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs) (nfs.Attr, error) {
	status, attr, err := e.refresh(ctx, c, n)
	switch {
	case err != nil:
		return attr, err
	case status != nfs.OK:
		return attr, status
	case attr.Type == nfs.Directory:
		return attr, nfs.ErrIsDir
	case attr.Type != nfs.Regular:
		return attr, nfs.ErrInval
	}
	return attr, e.permitted(ctx, c, n, a)
}

// fetch reads for a user who may.
func (e *Export) fetch(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs, attr *nfs.Attr, r *nfs.ReadResult, data server.Sink) error {
	now := time.Now()
	n.mu.Lock()
	if n.mu.view.fresh(now) { // by now
		attr = &n.mu.view.attr
	}
	clip(attr, a, r)
	size, was, turns := attr.Size, n.mu.view.attr.Size, n.mu.view.turns
	n.mu.reader = nfs.Caller{UID: c.UID, GID: c.GID, GIDs: slices.Clone(c.GIDs)} // c's are the request's, and end with it
	due := n.mu.ahead.reads(int64(a.Offset), int64(r.Count))
	n.mu.Unlock()
	switch {
	case r.Count == 0:
		return nil
	case behind(a.Offset, int(r.Count)):
		return e.fetchBehind(ctx, c, n, a, r, data)
	}
	v := e.volumeOf(n)
	if due {
		e.prefetch(n, size)
	}
	var got gathered
	if err := v.Read(ctx, &got, int64(a.Offset), int(r.Count)); err != nil {
		return err
	}
	err := e.reclip(ctx, c, n, a, r, was, turns)
	if err != nil {
		r.Count = 0
	}
	got.pass(data, int(r.Count))
	return err
}

// reclip is clip again if the file has been cut since it was that long, at that turn: what was read behind its end is zeros that it has never had.
func (e *Export) reclip(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs, r *nfs.ReadResult, was, turns uint64) error {
	n.mu.Lock()
	v := &n.mu.view
	attr, known := v.attr, v.known && v.whole
	same := v.turns == turns
	n.mu.Unlock()
	if !known && !same { // a CREATE has cut it, perhaps
		status, now, err := e.refresh(ctx, c, n)
		switch {
		case err != nil:
			return err
		case status != nfs.OK:
			return status
		}
		attr, known = now, true
	}
	if known && attr.Size < was && attr.Size < a.Offset+uint64(r.Count) {
		clip(&attr, a, r)
	}
	return nil
}

// gathered is what was read, until it is known how much of it counts.
type gathered []readPiece

type readPiece struct {
	bytes []byte
	owner cachecore.Releaser
	token uint64
}

// Add implements cachecore.Sink.
func (g *gathered) Add(p []byte, owner cachecore.Releaser, token uint64) {
	*g = append(*g, readPiece{p, owner, token})
}

// pass passes the first n bytes on.
func (g gathered) pass(to server.Sink, n int) {
	for _, x := range g {
		p := x.bytes[:min(n, len(x.bytes))]
		if n -= len(p); len(p) > 0 {
			to.Add(p, x.owner, x.token)
		} else if x.owner != nil {
			x.owner.Release(x.token)
		}
	}
}

// fetchBehind is fetch of what ends behind the volume's last block: of the array, and nothing of it is cached. r says how much.
func (e *Export) fetchBehind(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs, r *nfs.ReadResult, data server.Sink) error {
	p := make([]byte, r.Count)
	for at := uint64(0); at < uint64(len(p)); {
		ask := nfs.ReadArgs{File: n.handle, Offset: a.Offset + at, Count: uint32(uint64(len(p)) - at)}
		some := nfs.ReadResult{Data: p[at:]}
		if err := e.ask(ctx, c, nfs.ProcRead, &ask, &some); err != nil {
			return err
		}
		switch {
		case some.Status != nfs.OK:
			return some.Status
		case some.Count == 0 && !some.EOF || some.Count > ask.Count:
			return nfs.ErrIO
		}
		if at += uint64(some.Count); some.EOF { // others have cut it: zeros, as of a volume
			break
		}
	}
	data.Add(p, nil, 0)
	return nil
}

// permitted asks the array whether a user may read a file, by reading a byte, unless it has said so a moment ago.
func (e *Export) permitted(ctx context.Context, c *nfs.Caller, n *node, a *nfs.ReadArgs) error {
	q := n.ask()
	n.mu.Lock()
	allowed := n.mu.grants.allows(c, mayRead, q.at)
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
	e.grant(n, c, &q, mayRead)
	return nil
}

// grant notes that the array has let a user do something.
func (e *Export) grant(n *node, c *nfs.Caller, q *question, r right) {
	if e.opts.AttributeCache == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if g := n.mu.grants.enter(c, q.rights, time.Now()); g != nil {
		g.rights |= r
	}
}
