package volume

import (
	"context"
	"errors"
	"slices"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// cleared is an array that only notes what it is asked to clear. then is called afterwards.
type cleared struct {
	*arraytest.Mem
	ops  []arraytest.Op
	then func() error
}

// Info says that it is longer than what there is memory for.
func (c *cleared) Info() cachecore.ArrayInfo {
	info := c.Mem.Info()
	info.Size = 4 << 30
	return info
}

func (c *cleared) Unmap(_ context.Context, off, n int64) error {
	c.ops = append(c.ops, arraytest.Op{Kind: arraytest.Unmap, Off: off, Len: n})
	return c.then()
}

func (c *cleared) WriteZeroes(_ context.Context, off, n int64, unmap bool) error {
	c.ops = append(c.ops, arraytest.Op{Kind: arraytest.Zero, Off: off, Len: n, Unmap: unmap})
	return c.then()
}

// clears are the calls that may concern more than the array should be asked for at a time.
var clears = map[string]func(ctx context.Context, r *rig, off, n int64) error{
	"discard":           func(ctx context.Context, r *rig, off, n int64) error { return r.Discard(ctx, off, n, false) },
	"zeros, given back": func(ctx context.Context, r *rig, off, n int64) error { return r.Discard(ctx, off, n, true) },
	"zeros":             func(ctx context.Context, r *rig, off, n int64) error { return r.WriteZeroes(ctx, off, n) },
}

func newClearedRig(t *testing.T, unmapZeroes bool) (*rig, *cleared) {
	c := &cleared{then: func() error { return nil }}
	return newRig(t, wishes{info: cachecore.ArrayInfo{Thin: true, UnmapZeroes: unmapZeroes}, array: func(m *arraytest.Mem) cachecore.Array {
		c.Mem = m
		return c
	}}), c
}

// All of a long range is done, in pieces that writes can go between, until the first that fails or that nobody waits for any more.
func TestALongDiscardIsDoneInPieces(t *testing.T) {
	const off, size = 3 * blk, 2*unmapPiece + 5*blk
	for name, call := range clears {
		t.Run(name, func(t *testing.T) {
			r, c := newClearedRig(t, true)
			if err := call(t.Context(), r, off, size); err != nil {
				t.Fatal(err)
			}
			at := int64(off)
			for _, op := range c.ops {
				if op.Off != at || op.Len > unmapPiece {
					t.Errorf("a piece of %d bytes at %d, which is due at %d", op.Len, op.Off, at)
				}
				at += op.Len
			}
			if at != off+size {
				t.Errorf("it ends at %d, want %d", at, int64(off+size))
			}
			broken := errors.New("medium error")
			c.ops, c.then = nil, func() error { return broken }
			if err := call(t.Context(), r, off, size); !errors.Is(err, broken) || len(c.ops) != 1 {
				t.Errorf("%v, after %d pieces", err, len(c.ops))
			}
			ctx, cancel := context.WithCancel(t.Context())
			c.ops, c.then = nil, func() error { cancel(); return nil }
			if err := call(ctx, r, off, size); !errors.Is(err, context.Canceled) || len(c.ops) != 1 {
				t.Errorf("%v, after %d pieces", err, len(c.ops))
			}
		})
	}
}

// Space is given back by who discards, and kept by who writes zeros, whatever the array can.
func TestOnlyADiscardGivesSpaceBack(t *testing.T) {
	unmap, zero, punch := arraytest.Op{Kind: arraytest.Unmap, Len: blk}, arraytest.Op{Kind: arraytest.Zero, Len: blk}, arraytest.Op{Kind: arraytest.Zero, Len: blk, Unmap: true}
	for unmapZeroes, wants := range map[bool]map[string]arraytest.Op{
		true:  {"discard": unmap, "zeros, given back": unmap, "zeros": zero},
		false: {"discard": unmap, "zeros, given back": punch, "zeros": zero},
	} {
		for name, want := range wants {
			r, c := newClearedRig(t, unmapZeroes)
			if err := clears[name](t.Context(), r, 0, blk); err != nil || !slices.Equal(c.ops, []arraytest.Op{want}) {
				t.Errorf("%s, where unmapping zeroes: %v: the array is asked for %+v, %v", name, unmapZeroes, c.ops, err)
			}
		}
	}
}

func TestNothingIsAlteredBehindTheEnd(t *testing.T) {
	r := newRig(t, wishes{info: cachecore.ArrayInfo{Size: mib}})
	err := r.Alter(t.Context(), mib-blk, 2*blk, func(context.Context) error {
		t.Error("the array is asked")
		return nil
	})
	if !errors.Is(err, cachecore.ErrOutOfRange) {
		t.Error(err)
	}
}
