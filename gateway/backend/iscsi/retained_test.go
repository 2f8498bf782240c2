package iscsi

import (
	"bytes"
	"errors"
	"testing"

	"forebay/cachecore/ram"
)

func ledger(t *testing.T, bytes int64) *retained {
	t.Helper()
	arena, err := ram.NewArena(bytes)
	if err != nil {
		t.Fatal(err)
	}
	r := newRetained(ram.NewBuffers(arena.Take(bytes)))
	t.Cleanup(func() {
		r.mu.Lock()
		r.drop(func(*change) bool { return true })
		r.mu.Unlock()
		if free := r.pool.Free(); free != bytes {
			t.Errorf("%d of %d bytes came back", free, bytes)
		}
		arena.Close()
	})
	return r
}

func unflushed(r *retained) []*change {
	list, _ := r.unflushed()
	return list
}

func noted(t *testing.T, r *retained, fill byte, off int64, fua bool) *change {
	t.Helper()
	c, err := r.note(write, bytes.Repeat([]byte{fill}, 512), off, 512, fua)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestE1_AFlushCoversOnlyWhatWasAnsweredBeforeItWasSent(t *testing.T) {
	r := ledger(t, 64<<10)
	before, during, unanswered := noted(t, r, 1, 0, false), noted(t, r, 2, 512, false), noted(t, r, 3, 1024, false)
	r.answer(before)
	m := r.flushing()
	r.answer(during)
	if !r.flushed(m) {
		t.Fatal("the flush does not count")
	}
	if left := unflushed(r); len(left) != 1 || left[0] != during {
		t.Fatalf("left: %v", left)
	}
	r.answer(unanswered)
	if left := unflushed(r); len(left) != 2 || left[1] != unanswered {
		t.Fatalf("left: %v", left)
	}
}

func TestE1_AFlushOfAnotherEraCoversNothing(t *testing.T) {
	r := ledger(t, 64<<10)
	c := noted(t, r, 1, 0, false)
	r.answer(c)
	m := r.flushing()
	r.newEra()
	if again := unflushed(r); len(again) != 1 || again[0] != c || !bytes.Equal(c.data, bytes.Repeat([]byte{1}, 512)) {
		t.Fatalf("to be issued again: %v", again)
	}
	if r.flushed(m) {
		t.Fatal("a flush that was sent before the reset counts")
	}
	if again := unflushed(r); len(again) != 1 {
		t.Fatal("the write was dropped")
	}
	if !r.flushed(r.flushing()) || len(unflushed(r)) != 0 {
		t.Fatal("a flush of this era drops nothing")
	}
}

func TestE1_AWriteWithFUAIsRetainedOnlyBehindAnOlderOne(t *testing.T) {
	r := ledger(t, 64<<10)
	if c := noted(t, r, 1, 0, true); c != nil {
		t.Fatal("retained though nothing is older")
	}
	older := noted(t, r, 2, 0, false)
	r.answer(older)
	newer := noted(t, r, 3, 0, true)
	r.answer(newer)
	if again := unflushed(r); len(again) != 2 || again[0] != older || again[1] != newer {
		t.Fatalf("to be issued again: %v", again)
	}
}

func TestRetentionIsBounded(t *testing.T) {
	r := ledger(t, 8<<10)
	first := noted(t, r, 1, 0, false)
	noted(t, r, 2, 512, false)
	if _, err := r.note(write, make([]byte, 512), 1024, 512, false); !errors.Is(err, errNoRoom) {
		t.Fatal(err)
	}
	r.answer(first)
	r.flushed(r.flushing())
	third := noted(t, r, 3, 1024, false)
	r.forget(third, false)
	r.mu.limit = 2
	if _, err := r.note(zero, nil, 0, 512, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.note(unmap, nil, 0, 512, false); !errors.Is(err, errNoRoom) {
		t.Fatal(err)
	}
}

func TestTheCallersBytesMayChangeOnceTheyAreNoted(t *testing.T) {
	r := ledger(t, 64<<10)
	p := []byte{1, 2, 3, 4}
	c, err := r.note(write, p, 0, 4, false)
	if err != nil {
		t.Fatal(err)
	}
	p[0] = 9
	if c.data[0] != 1 {
		t.Fatal("the caller's memory is kept")
	}
}

func TestE3_AForgottenChangeOfUnknownOutcomeMakesOlderOnesMurkyUntilTheyAreFlushed(t *testing.T) {
	r := ledger(t, 64<<10)
	r.forget(noted(t, r, 1, 0, false), true)
	older := noted(t, r, 2, 0, false)
	r.answer(older)
	if _, murky := r.unflushed(); murky {
		t.Fatal("murky, though nothing older was retained")
	}
	r.forget(noted(t, r, 3, 0, false), true)
	r.forget(noted(t, r, 4, 0, false), false)
	if _, murky := r.unflushed(); !murky {
		t.Fatal("writing it again is taken to change nothing")
	}
	r.flushed(r.flushing())
	r.answer(noted(t, r, 5, 0, false))
	if _, murky := r.unflushed(); murky {
		t.Fatal("still murky after a flush")
	}
}
