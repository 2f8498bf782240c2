package writeback

import (
	"context"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// unable is an array that has to be sent zeros.
type unable struct{ *arraytest.Mem }

func (unable) WriteZeroes(context.Context, int64, int64, bool) error { return cachecore.ErrUnsupported }

func TestZeroesAreSentWhereTheArrayCannotWriteThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5*mib/2 + 512
		r := newRig(t, Back, func(o *Options) { o.Array = unable{o.Array.(*arraytest.Mem)} })
		if err := r.mem.WriteAt(t.Context(), of('x', n+blk), 0, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteZeroes(t.Context(), 512, n, false); err != nil {
			t.Fatal(err)
		}
		r.run()
		r.settled()
		r.end()
		r.onArray(0, append(of('x', 512), of(0, n)...))
		r.onArray(n+512, of('x', blk-512))
	})
}

// vast is longer than what there is memory for, and notes how much of it is cleared, from where on.
type vast struct {
	*arraytest.Mem
	from, to, longest int64
}

func (v *vast) Info() cachecore.ArrayInfo {
	info := v.Mem.Info()
	info.Size = 4 << 30
	return info
}

func (v *vast) clear(off, n int64) error {
	if v.to == 0 {
		v.from, v.to = off, off
	}
	if off == v.to {
		v.to += n
	}
	v.longest = max(v.longest, n)
	return nil
}

func (v *vast) Unmap(_ context.Context, off, n int64) error               { return v.clear(off, n) }
func (v *vast) WriteZeroes(_ context.Context, off, n int64, _ bool) error { return v.clear(off, n) }

// All of a long range is cleared, in pieces.
func TestALongRangeIsClearedInPieces(t *testing.T) {
	for name, unmap := range map[string]bool{"zeroes": false, "unmapped": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var below *vast
				r := newRig(t, Back, func(o *Options) {
					below = &vast{Mem: o.Array.(*arraytest.Mem)}
					o.Array = below
				})
				const n = 2*clearPiece + blk
				if err := r.WriteZeroes(t.Context(), blk, n, unmap); err != nil {
					t.Fatal(err)
				}
				r.run()
				r.settled()
				r.end()
				if below.from != blk || below.to != blk+n || below.longest > clearPiece {
					t.Errorf("cleared from %d to %d, in pieces of up to %d bytes", below.from, below.to, below.longest)
				}
			})
		})
	}
}
