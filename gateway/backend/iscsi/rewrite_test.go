package iscsi

import (
	"math/rand/v2"
	"slices"
	"testing"

	"forebay/cachecore"
)

func TestSpansReturnWhatWasNotThere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var s spans
		var there [64]bool
		for range 20 {
			from := r.Int64N(63)
			to := from + 1 + r.Int64N(64-from-1+1)
			for _, f := range s.add(from, to) {
				if f.from < from || f.to > to || f.from >= f.to {
					t.Fatalf("%v of %d to %d", f, from, to)
				}
				for i := f.from; i < f.to; i++ {
					if there[i] {
						t.Fatalf("%d was there", i)
					}
					there[i] = true
				}
			}
			for i := from; i < to; i++ {
				if !there[i] {
					t.Fatalf("%d is missing", i)
				}
			}
			for i := range s[1:] {
				if s[i].to >= s[i+1].from {
					t.Fatalf("not apart: %v", s)
				}
			}
		}
	}
}

// A controller that takes over may take less at a time, and lack a command.
func TestE1_WhatIsWrittenAgainIsWhatTheControllerTakesNow(t *testing.T) {
	for name, refused := range map[string][]byte{"smaller limits": nil, "no WRITE SAME": {opWriteSame}, "no UNMAP": {opUnmap}} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, cachecore.ArrayInfo{Size: diskSize, WriteCache: true, Thin: true}, 1)
			a := open(t, f.options())
			mustWrite(t, a, pattern(1, 16<<10), 0, cachecore.WriteOptions{})
			mustWrite(t, a, pattern(2, 8<<10), 64<<10, cachecore.WriteOptions{})
			mustWrite(t, a, pattern(3, 16<<10), 128<<10, cachecore.WriteOptions{})
			mustFlush(t, a)
			mustWrite(t, a, pattern(4, 16<<10), 0, cachecore.WriteOptions{})
			if err := a.WriteZeroes(t.Context(), 64<<10, 8<<10, false); err != nil {
				t.Fatal(err)
			}
			if err := a.Unmap(t.Context(), 128<<10, 16<<10); err != nil {
				t.Fatal(err)
			}
			f.set(func() {
				f.mu.most = 7
				f.mu.script = func(_ *port, op byte, _ []byte) (byte, *sense) {
					if slices.Contains(refused, op) {
						return statusCheck, &sense{5, 0x20, 0}
					}
					return 0, nil
				}
				f.mem.Crash(nil)
			})
			f.drop()
			mustFlush(t, a)
			f.mem.Crash(nil)
			expect(t, a, 0, pattern(4, 16<<10))
			expect(t, a, 64<<10, make([]byte, 8<<10))
		})
	}
}

// The array may have the later write durably, and we may be gone before we have written it again.
func TestE1_NothingIsWrittenAgainThatALaterChangeHasReplaced(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 8192), 0, cachecore.WriteOptions{})
	mustWrite(t, a, pattern(2, 1024), 1024, cachecore.WriteOptions{FUA: true})
	if err := a.WriteZeroes(t.Context(), 4096, 512, false); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, a, pattern(3, 512), 1024, cachecore.WriteOptions{})
	var again []span
	f.set(func() {
		f.mu.script = func(_ *port, op byte, cdb []byte) (byte, *sense) {
			if op == opWrite || op == opWriteSame {
				from := int64(be.Uint64(cdb[2:])) * blockSize
				again = append(again, span{from, from + int64(be.Uint32(cdb[10:]))*blockSize})
			}
			return 0, nil
		}
	})
	f.drop()
	want := pattern(1, 8192)
	copy(want[1024:], pattern(2, 1024))
	copy(want[1024:], pattern(3, 512))
	clear(want[4096 : 4096+512])
	expect(t, a, 0, want)
	f.mu.Lock()
	defer f.mu.Unlock()
	var written spans
	for _, s := range again {
		if fresh := written.add(s.from, s.to); len(fresh) != 1 || fresh[0] != s {
			t.Errorf("%v is written twice, of %v", s, again)
		}
	}
	if len(written) != 1 || written[0] != (span{0, 8192}) {
		t.Errorf("written again is %v", written)
	}
}
