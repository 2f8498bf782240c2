package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"forebay/protocols/iscsi/initiator"
)

const warmChunk = 128 << 10

// warmUp reads the working set once, so that what follows finds it in caches. The chunks come scattered: a cache may let a
// sequential run pass by. Reading leaves the target's data alone.
func (t *target) warmUp(ctx context.Context) error {
	count := uint64((t.length + warmChunk - 1) / warmChunk)
	step := coprime(count)
	return t.each(ctx, count, func(ctx context.Context, c *connection, i uint64, data []byte) error {
		at := int64(mulMod(i, step, count)) * warmChunk
		n := min(warmChunk, t.length-at)
		return t.transfer(ctx, c, t.first+at, data[:n], false)
	})
}

// each does count pieces of work, on all sessions at once.
func (t *target) each(ctx context.Context, count uint64, work func(ctx context.Context, c *connection, i uint64, data []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint64
	var all sync.WaitGroup
	for _, c := range t.sessions {
		for range min(t.opts.Depth, 8) {
			all.Go(func() {
				data := make([]byte, warmChunk)
				for i := next.Add(1) - 1; i < count && ctx.Err() == nil; i = next.Add(1) - 1 {
					if err := work(ctx, c, i, data); err != nil {
						cancel(fmt.Errorf("%s: %w", t.name, err))
					}
				}
			})
		}
	}
	all.Wait()
	return context.Cause(ctx)
}

// transfer reads or writes data at an offset in bytes. What the target did not execute is tried again; with Reconnect, so is a
// read whose session was lost. A write of unknown outcome is reported when the session is back: then it can't land any more.
func (t *target) transfer(ctx context.Context, c *connection, offset int64, data []byte, write bool) error {
	command := &initiator.Command{LUN: t.lun}
	lba, blocks := uint64(offset/int64(t.block)), uint32(len(data)/t.block)
	if write {
		command.Out = data
		command.Write(lba, blocks, false)
	} else {
		command.In = data
		command.Read(lba, blocks)
	}
	for {
		s := c.current()
		err := s.Do(ctx, command)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case passing(err):
			continue
		case s.Err() == nil:
			return fmt.Errorf("at %d: %w", offset, err)
		case !t.opts.Reconnect:
			return s.Err()
		}
		if err := c.renew(ctx, s); err != nil {
			return err
		}
		if write && !errors.Is(err, initiator.ErrNotSent) {
			return err
		}
	}
}
