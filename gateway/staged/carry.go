package staged

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// WriteAt implements cachecore.Array: what an interval has of a file.
func (p *space) WriteAt(ctx context.Context, data []byte, addr int64, _ cachecore.WriteOptions) error {
	f, off := p.system.at(addr>>slotBits), uint64(addr%slotSize)
	return p.give(ctx, f, func(c *nfs.Caller) error { return p.write(ctx, f, c, data, off) },
		func(reason error) error { return p.system.parks.put(f.handle, data, off, reason) })
}

// Resize implements writeback.Objects: the size that an interval has of a file.
func (p *space) Resize(ctx context.Context, addr int64) error {
	f, size := p.system.at(addr>>slotBits), uint64(addr%slotSize)
	send := func(c *nfs.Caller) error {
		a := nfs.SetAttrArgs{Object: f.handle, Attr: nfs.SetAttr{Size: nfs.Some(size)}}
		return p.call(ctx, c, nfs.ProcSetAttr, &a, new(nfs.WccResult))
	}
	return p.give(ctx, f, send, func(reason error) error { return p.system.parks.resize(f.handle, size, reason) })
}

// Stretch implements writeback.Objects.
func (p *space) Stretch() int64 { return slotSize }

// give sends something of a file to the filer. What that refuses for good is parked, which counts as sent.
func (p *space) give(ctx context.Context, f *file, send func(c *nfs.Caller) error, park func(reason error) error) error {
	if p.system.parks.has(f.handle) {
		return park(nil)
	}
	refused := f.isRefused()
	if refused == nil {
		if refused = p.carry(ctx, f, send); refused == nil || !forGood(refused) {
			return refused
		}
		f.moved(p.system.next(), nil)
	}
	p.system.opts.Logger.Error().Err(refused).Hex("file", f.handle).Str("saved", p.system.parks.path(f.handle)).
		Msg("the filer refuses for good what has been acknowledged of a file: it is saved, and the file is refused from now on")
	return park(refused)
}

// carry changes a file on behalf of whoever may.
func (p *space) carry(ctx context.Context, f *file, send func(c *nfs.Caller) error) (err error) {
	f.move()
	if !f.isKnown() { // as after a restart: nobody knows who owns it
		if err := p.worded(nfs.ProcGetAttr, p.system.meet(ctx, &nfs.Caller{}, f)); err != nil {
			return err
		}
	}
	for _, c := range f.writers() {
		if err = send(&c); err == nil {
			f.carriedAs(c)
			p.toCommit(f)
		}
		if !errors.Is(err, nfs.ErrAcces) && !errors.Is(err, nfs.ErrPerm) {
			return err
		}
	}
	return err
}

// toCommit notes that a file is to be committed.
func (p *space) toCommit(f *file) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.written[f]++
}

// forGood says whether asking again is no use, and concerns one file only (PROTOCOL E4).
func forGood(err error) bool {
	for _, s := range []nfs.Status{nfs.ErrStale, nfs.ErrBadHandle, nfs.ErrAcces, nfs.ErrPerm, nfs.ErrDQuot, nfs.ErrFBig, nfs.ErrIsDir, nfs.ErrInval} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// write writes on behalf of one user.
func (p *space) write(ctx context.Context, f *file, c *nfs.Caller, data []byte, off uint64) error {
	for len(data) > 0 {
		a := nfs.WriteArgs{File: f.handle, Offset: off, Data: data[:min(len(data), maxTransfer)]}
		var r nfs.WriteResult
		if err := p.call(ctx, c, nfs.ProcWrite, &a, &r); err != nil {
			return err
		}
		if r.Count == 0 || int(r.Count) > len(a.Data) {
			return fmt.Errorf("WRITE: %d bytes are answered with %d", len(a.Data), r.Count)
		}
		p.vouch(r.Verifier)
		data, off = data[r.Count:], off+uint64(r.Count)
	}
	return nil
}

// carriedAs notes as whom the destager has written: who may write may commit.
func (f *file) carriedAs(c nfs.Caller) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.carrier = c
}

func (f *file) carriedBy() nfs.Caller {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.carrier
}

// refuse notes that the filer won't commit what it has taken.
func (f *file) refuse(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = why
}

func (f *file) isRefused() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// writers are those as whom the destager may write, the likeliest first.
func (f *file) writers() []nfs.Caller {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []nfs.Caller
	if f.wrote {
		list = append(list, f.writer)
	}
	if f.known {
		list = append(list, nfs.Caller{UID: f.attr.UID, GID: f.attr.GID})
	}
	return append(list, nfs.Caller{})
}
