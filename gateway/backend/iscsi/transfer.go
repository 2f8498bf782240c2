package iscsi

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// ReadAt implements cachecore.Array.
func (a *Array) ReadAt(ctx context.Context, p []byte, off int64) error {
	if err := a.call(ctx, off, int64(len(p))); err != nil {
		return err
	}
	defer a.calls.Done()
	l := a.limits.Load()
	for longest := int(l.transfer) * l.block; len(p) > 0; {
		n := min(len(p), longest)
		if err := a.read(ctx, p[:n], off, l); err != nil {
			return fmt.Errorf("read %d bytes at %d: %w", n, off, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (a *Array) read(ctx context.Context, p []byte, off int64, l *limits) error {
	o := a.newOp(false)
	defer a.recycle(o)
	o.command.In, o.command.Out = p, nil
	o.command.Read(uint64(off)/uint64(l.block), uint32(len(p)/l.block))
	return a.run(ctx, o)
}

// WriteAt implements cachecore.Array. When it returns, what it has sent lands no more once the adapter lets another call through.
func (a *Array) WriteAt(ctx context.Context, p []byte, off int64, w cachecore.WriteOptions) error {
	if err := a.call(ctx, off, int64(len(p))); err != nil {
		return err
	}
	defer a.calls.Done()
	l := a.limits.Load()
	begin := off
	for longest := int(l.transfer) * l.block; len(p) > 0; {
		n := min(len(p), longest)
		if err := a.write(ctx, p[:n], off, w.FUA && l.fua, l); err != nil {
			return fmt.Errorf("write %d bytes at %d: %w", n, off, partial(err, off > begin))
		}
		p, off = p[n:], off+int64(n)
	}
	if w.FUA && !l.fua && a.info.Load().WriteCache {
		return a.flush(ctx)
	}
	return nil
}

// partial is the error of a call of which parts may have been done before.
func partial(err error, done bool) error {
	if !done || errors.Is(err, cachecore.ErrUnavailable) || errors.Is(err, cachecore.ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, err)
}

func (a *Array) write(ctx context.Context, p []byte, off int64, fua bool, l *limits) error {
	o := a.newOp(true)
	defer a.recycle(o)
	o.kind, o.off, o.len, o.fua = write, off, int64(len(p)), fua
	o.command.In, o.command.Out = nil, p
	if err := a.retain(ctx, o); err != nil {
		return err
	}
	o.command.Write(uint64(off)/uint64(l.block), uint32(len(p)/l.block), fua)
	return a.run(ctx, o)
}

// retain notes a change before it is first sent, where it may be lost after its answer. It makes room by a flush.
func (a *Array) retain(ctx context.Context, o *op) error {
	for {
		record, err := a.retained.note(o.kind, o.command.Out, o.off, o.len, o.fua || !a.info.Load().WriteCache)
		if err == nil {
			o.record = record
			return nil
		}
		if err := a.flush(ctx); err != nil {
			return fmt.Errorf("make room by a flush: %w", err)
		}
	}
}

// Flush implements cachecore.Array. It returns nil once a flush that was sent in an era was answered in it, and covers what was answered
// before Flush was called.
func (a *Array) Flush(ctx context.Context) error {
	if err := a.call(ctx, 0, 0); err != nil {
		return err
	}
	defer a.calls.Done()
	return a.flush(ctx)
}

func (a *Array) flush(ctx context.Context) error {
	o := a.newOp(false)
	defer a.recycle(o)
	for other := false; ; {
		o.flush = true
		shorter := a.flush10.Load() != other
		if o.command.Flush(); shorter {
			o.command.Flush10()
		}
		err := a.run(ctx, o)
		if initiator.IsUnsupported(err) && !other { // either is optional
			other = true
			continue
		}
		if err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		a.flush10.Store(shorter)
		other = false
		// A flight that the flush has overtaken may bring the news that the array was reset before it.
		if err := a.settled(ctx); err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		if a.retained.flushed(o.mark) {
			return nil
		}
	}
}
