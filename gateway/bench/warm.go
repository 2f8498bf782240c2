package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

const warmChunk = 128 << 10

// warmUp reads the working set once, so that what follows finds it in caches. The chunks come scattered: a cache may let a
// sequential run pass by. Reading leaves the target's data alone.
func (t *target) warmUp(ctx context.Context) error {
	count := uint64((t.length + warmChunk - 1) / warmChunk)
	step := coprime(count)
	return t.each(ctx, count, func(ctx context.Context, to session, i uint64, data []byte) error {
		at := int64(mulMod(i, step, count)) * warmChunk
		n := min(warmChunk, t.length-at)
		return to.transfer(ctx, t.first+at, data[:n], false)
	})
}

// each does count pieces of work, on all sessions at once.
func (t *target) each(ctx context.Context, count uint64, work func(ctx context.Context, to session, i uint64, data []byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint64
	var all sync.WaitGroup
	for _, to := range t.sessions {
		for range min(t.opts.Depth, 8) {
			all.Go(func() {
				data := make([]byte, warmChunk)
				for i := next.Add(1) - 1; i < count && ctx.Err() == nil; i = next.Add(1) - 1 {
					if err := work(ctx, to, i, data); err != nil {
						cancel(fmt.Errorf("%s: %w", t.name, err))
					}
				}
			})
		}
	}
	all.Wait()
	return context.Cause(ctx)
}
