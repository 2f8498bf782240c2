package writeback

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore/writelog"
)

// ReadAt implements cachecore.Array.
func (a *Array) ReadAt(ctx context.Context, p []byte, off int64) error {
	for {
		err := a.read(ctx, p, off)
		if !errors.Is(err, writelog.ErrGone) { // the log has moved a record; it is found where it is now
			return err
		}
	}
}

func (a *Array) read(ctx context.Context, p []byte, off int64) error {
	v, err := a.pin(off, int64(len(p)))
	if err != nil {
		return err
	}
	defer v.release()
	if v.covered < int64(len(p)) {
		done := a.rate.reading(len(p))
		err := a.below.ReadAt(ctx, p, off)
		done()
		if err != nil {
			return err
		}
	}
	for _, x := range v.pieces {
		into := p[x.off-off : x.off-off+x.n]
		if x.zero {
			clear(into)
		} else if err := a.opts.Log.ReadAt(into, x.at, x.skip); err != nil {
			return a.unread(x, err)
		}
	}
	return nil
}

// unread is the outcome of a read that the log refused: ErrGone if the record is to be found elsewhere by now, else it is lost, which
// concerns the whole volume (PROTOCOL F2).
func (a *Array) unread(x placed, err error) error {
	if errors.Is(err, writelog.ErrGone) {
		a.mu.Lock()
		elsewhere := x.interval.free != nil || x.interval.at(x.seq) != x.at
		a.mu.Unlock()
		if elsewhere {
			return err
		}
		err = errLeftBehind
	}
	err = fmt.Errorf("read the write log: %w", err)
	a.Lose(err)
	return err
}

// errLeftBehind is of a record that the log could not move: it doesn't say where that is, and what lay there is another's.
var errLeftBehind = fmt.Errorf("%w: the record could not be moved", writelog.ErrDamaged)

// view is what the intervals have of a range, newest over older, and stays readable until it is released.
type view struct {
	array   *Array
	pinned  []*interval
	pieces  []placed
	covered int64 // bytes
}

// placed is a piece with the place of its record's data.
type placed struct {
	piece
	interval *interval
	at       writelog.Position
}

func (a *Array) pin(off, n int64) (*view, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.mode == Lost {
		return nil, a.mu.cause
	}
	v := &view{array: a}
	v.collect(a.mu.intervals, off, n)
	return v, nil
}

// collect goes from the newest interval to the oldest, down the gaps of each.
func (v *view) collect(list []*interval, off, n int64) {
	for len(list) > 0 && list[len(list)-1].index.empty() {
		list = list[:len(list)-1]
	}
	if len(list) == 0 || n == 0 {
		return
	}
	newest, older := list[len(list)-1], list[:len(list)-1]
	at, found := off, false
	newest.index.each(off, n, func(x piece) {
		v.collect(older, at, x.off-at)
		v.pieces = append(v.pieces, newest.placed(x))
		v.covered += x.n
		at, found = x.off+x.n, true
	})
	if found {
		newest.readers++
		v.pinned = append(v.pinned, newest)
	}
	v.collect(older, at, off+n-at)
}

func (iv *interval) placed(x piece) placed {
	if x.zero {
		return placed{piece: x}
	}
	return placed{x, iv, iv.at(x.seq)}
}

func (v *view) release() {
	if len(v.pinned) == 0 {
		return
	}
	v.array.mu.Lock()
	defer v.array.mu.Unlock()
	for _, iv := range v.pinned {
		iv.release()
	}
}
