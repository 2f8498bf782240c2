package gateway

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
)

func TestAnArrayThatHealsItselfStaysAttachedAndItsNewsArePassedOn(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
		k.heals = true
		told := []string{"attaching 8388608", "attached"}
		then := func(more ...string) {
			t.Helper()
			told = append(told, more...)
			k.heard(told...)
		}
		k.lose("recovering")
		if err := k.write(cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) {
			t.Error(err)
		}
		then() // it says itself when it is away
		k.hear(event{Reason: "no portal answers"})
		then("lost false")
		if attached, reason := k.state(); attached || reason != "no portal answers" || !k.isOpen() {
			t.Error(attached, reason, k.isOpen())
		}
		k.hear(event{Reason: "no portal answers"})
		then()
		k.comeBack()
		k.hear(event{Available: true, Unproven: true})
		then("doubted false", "attached")
		if attached, reason := k.state(); !attached || reason != "" {
			t.Error(attached, reason)
		}
		if err := k.write(cachecore.WriteOptions{}); err != nil {
			t.Error(err)
		}
		k.hear(event{Available: true, Resized: true})
		then("resized 8388608")
		if k.attempts() != 1 {
			t.Errorf("it was opened %d times", k.attempts())
		}
		k.log.expect(1, "array away", "no portal answers")
		k.log.expect(1, "array is back")
	})
}

// What an array says while nobody listens is not lost, and the last word counts.
func TestTheLastWordOfAnArrayCounts(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
		for range 3 {
			k.hear(event{Reason: "away", Resized: true})
			k.hear(event{Available: true})
		}
		synctest.Wait()
		if attached, reason := k.state(); !attached || reason != "" {
			t.Error(attached, reason)
		}
	})
}

func TestE1_WhatOthersTookAwayUnflushedFailsTheNextFlushOfEachInitiator(t *testing.T) {
	serve(t, hold25s, present, func(t *testing.T, x *shelf) {
		x.a.v.attachment.heals = true
		wants(t, "a write", good, x.a.write(0, 1))
		x.behind(0, 7)
		x.lose("taken")
		x.a.v.attachment.hear(event{Reason: "taken", Unproven: true, Forsaken: true})
		read, flush := eventually(func() string { return x.a.read(0) }), eventually(x.a.flush)
		synctest.Wait()
		held(t, read) // what is cached is old
		x.comeBack()
		x.a.v.attachment.hear(event{Available: true})
		wants(t, "what others wrote", "all 7", <-read)
		if how := <-flush; how == good {
			t.Error("a flush vouches for a write that may be gone")
		}
		wants(t, "the next flush", good, x.a.flush())
	})
}

// One that was opened, went away and was closed before it was attached tells nothing of the next.
func TestTheNewsOfAnEarlierArrayAreForgotten(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, func(s *san) { s.lose("its identity can't be stored") }, func(t *testing.T, k *kept) {
		k.hear(event{Reason: "away", Resized: true})
		k.comeBack()
		time.Sleep(retryAttach)
		k.heard("attaching 8388608", "attached")
		if attached, reason := k.state(); !attached || reason != "" {
			t.Error(attached, reason)
		}
	})
}

func TestAnArrayThatHealsItselfAndGrowsIsToldToInitiators(t *testing.T) {
	serve(t, fail, present, func(t *testing.T, x *shelf) {
		x.a.v.attachment.heals = true
		wants(t, "a write", good, x.a.write(0, 1))
		wants(t, "a read", "all 1", x.a.read(0))
		x.mem.Grow(16 * mib)
		x.a.v.attachment.hear(event{Available: true, Resized: true})
		synctest.Wait()
		wants(t, "the news", "6/2a/09", x.a.ready())
		wants(t, "the last block", "all 0", x.a.read(16*mib/cachecore.BlockSize-1))
		x.behind(0, 7) // a hit hides it
		wants(t, "a hit", "all 1", x.a.read(0))
		x.a.v.attachment.hear(event{Available: true, Unproven: true})
		wants(t, "what others may have written", "all 7", x.a.read(0))
	})
}
