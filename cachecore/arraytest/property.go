package arraytest

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
)

// equalsPlainBytes runs random operations on the array and on a slice, which must stay equal. Several sequences run on one array:
// each begins with what the last one left.
func equalsPlainBytes(t *testing.T, a cachecore.Array) {
	info := a.Info()
	model := make([]byte, least)
	write(t, a, model, 0, cachecore.WriteOptions{})
	zeroer, _ := a.(cachecore.Zeroer)
	ctx := context.Background()
	rapid.Check(t, func(r *rapid.T) {
		block := int64(info.LogicalBlock)
		draw := func() (off, n int64) {
			off = rapid.Int64Range(0, least/block-1).Draw(r, "block") * block
			n = min(rapid.Int64Range(1, 64).Draw(r, "blocks")*block, least-off)
			return off, n
		}
		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				off, n := draw()
				p := pattern(rapid.Int64Range(0, 1<<30).Draw(r, "seed"), n)
				must(a.WriteAt(ctx, p, off, cachecore.WriteOptions{FUA: rapid.Bool().Draw(r, "fua")}))
				copy(model[off:], p)
			},
			"unmap": func(*rapid.T) {
				off, n := draw()
				if !info.Thin {
					return
				}
				must(a.Unmap(ctx, off, n))
				if info.UnmapZeroes {
					clear(model[off : off+n])
				} else {
					must(a.ReadAt(ctx, model[off:off+n], off))
				}
			},
			"zero": func(r *rapid.T) {
				off, n := draw()
				if zeroer == nil {
					return
				}
				err := zeroer.WriteZeroes(ctx, off, n, rapid.Bool().Draw(r, "unmap"))
				if errors.Is(err, cachecore.ErrUnsupported) {
					return
				}
				must(err)
				clear(model[off : off+n])
			},
			"flush": func(*rapid.T) { must(a.Flush(ctx)) },
			"": func(r *rapid.T) {
				off, n := draw()
				got := make([]byte, n)
				must(a.ReadAt(ctx, got, off))
				if string(got) != string(model[off:off+n]) {
					r.Fatalf("other bytes at %d+%d", off, n)
				}
			},
		})
	})
}
