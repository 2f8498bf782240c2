package writeback

import (
	"context"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// Mode returns the present mode, and of a lost array why it is that.
func (a *Array) Mode() (Mode, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.mode == Lost {
		return Lost, a.mu.cause
	}
	return a.mu.mode, nil
}

// Direct has call change the array, if the mode is through; else it says that changes are to be logged, and does nothing.
func (a *Array) Direct(ctx context.Context, call func(context.Context) error) (done bool, err error) {
	a.mu.Lock()
	if a.mu.mode != Through {
		a.mu.Unlock()
		return false, nil
	}
	a.mu.direct++
	a.mu.Unlock()
	err = call(ctx)
	a.endDirect(err)
	return true, err
}

// WriteBy is a WriteAt that has direct write all of p where the mode is through. durable is of what it answers: as FUA.
func (a *Array) WriteBy(ctx context.Context, p []byte, off int64, durable bool, direct func(context.Context) error) error {
	if err := a.check(off, int64(len(p))); err != nil || len(p) == 0 {
		return err
	}
	whole, written := direct, false
	direct = func(ctx context.Context) error {
		written = true
		return whole(ctx)
	}
	for most := a.mostData(); len(p) > 0 && !written; {
		part := p[:min(len(p), most)]
		r := writelog.Record{Kind: writelog.Write, Off: off, Len: int64(len(part))}
		if err := a.change(ctx, r, part, durable, direct); err != nil {
			return err
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return nil
}

// mostData is how much one record takes: no record ends within a block.
func (a *Array) mostData() int { return int(a.opts.Log.MaxData()) &^ (cachecore.BlockSize - 1) }
