package writeback

import (
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestAWriteIsAnsweredByTheLogAndReadFromIt(t *testing.T) {
	r := newRig(t, Back)
	r.write(blk, of('a', blk))
	r.expect(0, append(of(0, blk), append(of('a', blk), of(0, blk)...)...))
	r.onArray(blk, of(0, blk))
	r.write(blk+512, of('b', 512))
	r.expect(blk, append(of('a', 512), append(of('b', 512), of('a', blk-1024)...)...))
}

// A write that is several records is cut between blocks: what a block has is in one of them.
func TestALongWriteIsCutBetweenBlocks(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', 25*blk))
	if len(r.log.records) < 2 {
		t.Fatal("it is one record")
	}
	for _, x := range r.log.records {
		if x.Off%blk != 0 || x.Len%blk != 0 || x.Len > r.log.MaxData() {
			t.Errorf("a record of %d bytes at %d", x.Len, x.Off)
		}
	}
	r.expect(0, of('a', 25*blk))
}

func TestWhatIsCarriedToTheArrayIsWhatWasWritten(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', 3*blk))
	r.write(blk, of('b', blk))
	r.write(512, of('c', 512))
	r.run()
	r.settled()
	r.onArray(0, append(append(of('a', 512), of('c', 512)...), append(of('a', blk-1024), append(of('b', blk), of('a', blk)...)...)...))
	r.expect(0, of('a', 512))
	if r.log.used != 0 {
		t.Errorf("%d bytes of the log are used", r.log.used)
	}
}

func TestB3_WhatIsNotDurableYetIsNotRead(t *testing.T) {
	r := newRig(t, Back)
	r.log.holding = true
	done := make(chan error)
	go func() { done <- r.WriteAt(t.Context(), of('a', blk), 0, cachecore.WriteOptions{}) }()
	for {
		r.log.mu.Lock()
		n := len(r.log.held)
		r.log.mu.Unlock()
		if n == 1 {
			break
		}
	}
	r.expect(0, of(0, blk))
	r.log.held[0]()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.expect(0, of('a', blk))
}

func TestZeroesAndUnmappedSpaceReadAsZerosAndAreCarriedInOrder(t *testing.T) {
	for name, unmap := range map[string]bool{"zeroes": false, "unmapped": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Back)
			if err := r.mem.WriteAt(t.Context(), of('x', 8*blk), 0, cachecore.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			r.write(0, of('a', 4*blk))
			if err := r.WriteZeroes(t.Context(), blk, 4*blk, unmap); err != nil {
				t.Fatal(err)
			}
			r.write(3*blk, of('b', blk))
			want := append(of('a', blk), append(of(0, 2*blk), append(of('b', blk), append(of(0, blk), of('x', 3*blk)...)...)...)...)
			r.expect(0, want)
			r.run()
			r.settled()
			r.onArray(0, want)
			r.expect(0, want)
		})
	}
}

func TestE1_TheLogIsTrimmedOnlyAfterTheArraysFlush(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	flush := r.mem.Hold(arraytest.Before, flushes)
	r.run()
	done := make(chan error, 1)
	go func() { done <- r.sync(context.Background()) }()
	select {
	case <-flush.Arrived():
	case <-done:
		t.Fatal("it is trimmed without a flush")
	}
	if r.log.trimmed != 0 {
		t.Error("it is trimmed before")
	}
	flush.Release(nil)
	r.settled()
	if r.log.trimmed != 1 {
		t.Errorf("trimmed up to %d", r.log.trimmed)
	}
}

func TestE1_AnIntervalWhoseFlushFailsIsCarriedAgain(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	flush := r.mem.Hold(arraytest.Before, flushes)
	r.run()
	done := make(chan error)
	go func() { done <- r.sync(t.Context()) }()
	<-flush.Arrived()
	if err := r.mem.WriteAt(t.Context(), of('x', blk), 0, cachecore.WriteOptions{}); err != nil { // what the write was lost to
		t.Fatal(err)
	}
	flush.Release(errors.Join(cachecore.ErrUnavailable))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.onArray(0, of('a', blk))
}

func TestWhatWasAcknowledgedIsThereInTheNextLife(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', 2*blk))
	r.write(blk, of('b', blk))
	r.restart(Back)
	want := append(of('a', blk), of('b', blk)...)
	r.expect(0, want)
	r.write(0, of('c', 512))
	copy(want, of('c', 512))
	r.restart(Through)
	r.expect(0, want)
	if r.state() != Draining {
		t.Errorf("%v, with records in the log", r.state())
	}
	r.run()
	r.becomes(Through)
	r.onArray(0, want)
}

func TestWriteThroughIsTheArraysToAnswer(t *testing.T) {
	r := newRig(t, Through)
	r.write(0, of('a', blk))
	r.onArray(0, of('a', blk))
	if len(r.log.records) != 0 {
		t.Error("it is logged")
	}
}
