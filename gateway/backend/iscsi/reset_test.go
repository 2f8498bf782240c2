package iscsi

import (
	"testing"

	"forebay/cachecore"
)

// The flush has been launched and not been sent yet when another flight brings the news of a reset. The array answers it all the same.
func TestE1_AFlushThatWasLaunchedBeforeTheNewsOfAResetDoesNotCount(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	mustWrite(t, a, pattern(1, 4096), 0, cachecore.WriteOptions{})
	a.mu.Lock()
	size := a.mu.window.size
	a.mu.window.size = 0
	a.mu.Unlock()
	flushed := begun(func() error { return a.Flush(t.Context()) })
	brought{a: a}.inLine(t, 1)
	f.mem.Crash(nil)
	a.mu.Lock()
	a.mu.window.size = size
	a.admit()
	a.begin(todo{rewrite: true}, "the array was reset")
	a.mu.Unlock()
	if err := receive(t, flushed); err != nil {
		t.Fatal(err)
	}
	f.mem.Crash(nil)
	expect(t, a, 0, pattern(1, 4096))
}

func TestALUNThatHasGrownIsToldThoughTheRecoveryThatFoundItFails(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	seen := events(&o)
	a := open(t, o)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	f.mem.Grow(2 * diskSize)
	f.answer(opWrite, sense{3, 0x0c, 0}) // of what is written again
	f.drop()
	if e := receive(t, seen); !e.Available || !e.Resized {
		t.Fatalf("%+v", e)
	}
	expect(t, a, 2*diskSize-512, make([]byte, 512))
}

// The array tells the first command that comes after its reset, and executes the others: they read what it has lost.
func TestE1_WhatWasReadAroundAResetIsUnproven(t *testing.T) {
	for name, unflushed := range map[string]bool{"unflushed": true, "flushed": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, cached, 1)
			o := f.options()
			seen := events(&o)
			a := open(t, o)
			mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
			if !unflushed {
				mustFlush(t, a)
			}
			f.mem.Crash(nil)
			f.attend(sense{6, 0x29, 0})
			expect(t, a, 0, pattern(1, 512))
			select {
			case e := <-seen:
				if !unflushed || !e.Available || !e.Unproven {
					t.Errorf("%+v", e)
				}
			default:
				if unflushed {
					t.Error("nothing is told")
				}
			}
		})
	}
}

func TestE1_AReadThatEndsBehindTheNewsOfAResetIsIssuedAgain(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	told, read := a.newOp(false), a.newOp(false)
	for _, o := range []*op{told, read} {
		if err := a.enter(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	a.land(told, verdict{do: reset})
	if v := a.land(read, verdict{do: settle}); v.do != again {
		t.Errorf("what it has read is taken for what was written: %v", v.do)
	}
}
