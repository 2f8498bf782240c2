package volume

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/flash"
)

// launch begins a write that has to be taken, and returns where its outcome comes.
func (r *rig) launch(p []byte, off int64) <-chan error {
	r.t.Helper()
	outcome := make(chan error, 1)
	if !r.Launch(context.Background(), p, off, func(err error) { outcome <- err }) {
		r.t.Fatal("not taken")
	}
	return outcome
}

func TestALaunchedWriteIsDoneByTheKickAndCached(t *testing.T) {
	r, l := newLaunchRig(t, wishes{})
	first := r.launch(of('a', 3*blk), blk)
	second := r.launch(of('b', blk), 8*blk)
	if l.waiting() != 2 || len(first)+len(second) > 0 {
		t.Fatalf("%d wait for the kick, %d are told", l.waiting(), len(first)+len(second))
	}
	r.mustMiss(blk, blk)
	r.Kick()
	for _, outcome := range []<-chan error{first, second} {
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	}
	r.mustHit(blk, of('a', 3*blk))
	r.mustHit(8*blk, of('b', blk))
	if n := r.counts.Snapshot().Datastore.Count; n != 2 {
		t.Errorf("%d writes are counted", n)
	}
}

// Writes of parts of one block come after one another, by the ends of those before them: nobody waits.
func TestLaunchedWritesThatOverlapAreDoneInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newLaunchRig(t, wishes{})
		r.mustWrite(of('x', blk), 0)
		const parts = 8
		var ended []int
		for i := range parts {
			if !r.Launch(t.Context(), of('a'+byte(i), 1024), int64(i)*512, func(err error) {
				if err != nil {
					t.Error(err)
				}
				ended = append(ended, i)
			}) {
				t.Fatal("not taken")
			}
		}
		if l.waiting() != 1 {
			t.Errorf("%d at a time", l.waiting())
		}
		r.Kick()
		if len(ended) != parts || !slices.IsSorted(ended) {
			t.Errorf("ended in the order %v", ended)
		}
		for i := range parts {
			r.mustRead(int64(i)*512, of('a'+byte(i), 512))
		}
	})
}

func TestALaunchedWriteThatTheArrayTakesNotGoesOnAsOneThatWaits(t *testing.T) {
	for name, change := range map[string]func(*launching){
		"refused": func(l *launching) { l.refuse = true },
		"failed":  func(l *launching) { l.fail = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r, l := newLaunchRig(t, wishes{})
			change(l)
			outcome := r.launch(of('a', blk), 0)
			r.Kick()
			if err := <-outcome; err != nil {
				t.Fatal(err)
			}
			r.mustHit(0, of('a', blk))
		})
	}
}

func TestALaunchedWriteThatFailsLeavesWhatTheArrayHas(t *testing.T) {
	r, l := newLaunchRig(t, wishes{})
	r.mustWrite(of('x', 2*blk), 0)
	l.fail = 1
	medium := errors.New("medium error")
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Write && at == arraytest.Before {
			return medium
		}
		return nil
	})
	outcome := r.launch(of('a', 512), blk-512)
	r.Kick()
	if err := <-outcome; !errors.Is(err, medium) {
		t.Fatal(err)
	}
	r.intercept(nil)
	r.mustMiss(0, blk)
	r.mustRead(0, of('x', 2*blk))
}

// slowFlash is a tier that has nothing and takes nothing, and takes its time to forget.
type slowFlash struct {
	Flash
	forgotten chan error
}

func (*slowFlash) Contains(cachecore.Block, int) (none flash.Found)            { return none }
func (*slowFlash) Prepare(cachecore.Block, int) (none flash.Batch)             { return none }
func (*slowFlash) InvalidateNow(cachecore.Block, uint64) bool                  { return false }
func (f *slowFlash) Invalidate(context.Context, cachecore.Block, uint64) error { return <-f.forgotten }
func (*slowFlash) Drop(context.Context) error                                  { return nil }

// PROTOCOL G3, for what is launched: the array is asked when flash has forgotten the blocks, durably, and not if it can't.
func TestG3_ALaunchedWriteIsForgottenBelowBeforeTheArrayIsAsked(t *testing.T) {
	for name, refusal := range map[string]error{"forgotten": nil, "not to be forgotten": errors.New("the mark can't be written")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := &slowFlash{forgotten: make(chan error)}
				r, l := newLaunchRig(t, wishes{o: Options{Flash: below}})
				rec := r.record()
				outcome := r.launch(of('a', blk), 0)
				r.Kick()
				synctest.Wait()
				if l.waiting() != 0 || rec.bytes() != 0 {
					t.Error("the array is asked before flash has forgotten")
				}
				below.forgotten <- refusal
				if err := <-outcome; (err == nil) != (refusal == nil) {
					t.Errorf("the write: %v", err)
				}
				if n := rec.bytes(); (n == blk) != (refusal == nil) {
					t.Errorf("the array has been sent %d bytes", n)
				}
			})
		})
	}
}

// What a launched write waits for first is not the array's time, and each attempt counts.
func TestTheTimeOfALaunchedWriteIsTheArrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newLaunchRig(t, wishes{})
		end := r.heldWrite(of('a', blk), 0)
		outcome := r.launch(of('b', 512), 0)
		time.Sleep(time.Hour)
		l.fail = 1
		end()
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
		s := r.counts.Snapshot()
		if s.ArrayWrites.Operations != 3 || s.ArrayWrites.Errors != 1 || s.ArrayWrites.Bytes != blk+512 {
			t.Errorf("one write and one that fails first are %+v", s.ArrayWrites)
		}
		if hours := s.Datastore.Sum / time.Hour; hours != 1 {
			t.Errorf("one write of an hour, and one that waited for it, have taken %d hours", hours)
		}
	})
}

// What is launched with one who waits before it goes on when that one ends, kicked by him.
func TestALaunchedWriteWaitsForOneThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newLaunchRig(t, wishes{})
		leave := make(chan bool)
		r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
			if op.Kind == arraytest.Write && at == arraytest.Before && op.Len == blk {
				<-leave
			}
			return nil
		})
		go r.mustWrite(of('a', blk), 0)
		synctest.Wait()
		outcome := r.launch(of('b', 512), 0)
		r.Kick()
		synctest.Wait()
		if len(outcome) > 0 {
			t.Error("it has overtaken the other")
		}
		close(leave)
		if err := <-outcome; err != nil {
			t.Fatal(err)
		}
		r.mustRead(0, of('b', 512))
		r.mustRead(512, of('a', blk-512))
	})
}

// heldWrite writes a block, which takes until its end is called.
func (r *rig) heldWrite(p []byte, off int64) (end func()) {
	held := make(chan bool)
	r.intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
		if op.Kind == arraytest.Write && at == arraytest.Before && op.Len == blk {
			<-held
		}
		return nil
	})
	go r.mustWrite(p, off)
	synctest.Wait()
	return sync.OnceFunc(func() { close(held) })
}

// Whoever ends a launched write waits for no other's: neither for one that it overlaps, nor for one that it would have waited for behind that. What is
// behind it goes on, and what has waited and has come to its turn is done.
func TestALaunchedWriteThatWaitsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := newLaunchRig(t, wishes{})
		end := r.heldWrite(of('a', blk), 0)
		defer end()
		ctx, cancel := context.WithCancel(t.Context())
		outcomes := make(chan error, 8)
		told := func(err error) { outcomes <- err }
		for i := range int64(2) {
			if !r.Launch(ctx, of('b', blk+512), i*512, told) {
				t.Fatal("not taken")
			}
		}
		behind := r.launch(of('c', 1024), blk)
		r.Kick()
		if synctest.Wait(); len(outcomes)+len(behind) > 0 || l.waiting() != 0 {
			t.Fatal("they don't wait")
		}
		cancel()
		synctest.Wait()
		if len(outcomes) != 2 {
			t.Fatalf("%d of 2 that are ended are told", len(outcomes))
		}
		for range 2 {
			if err := <-outcomes; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if len(behind) != 1 || <-behind != nil {
			t.Error("what was behind them waits yet")
		}
		if !r.Launch(ctx, of('d', 512), 0, told) || !r.Launch(t.Context(), of('e', 512), 0, told) {
			t.Fatal("not taken")
		}
		if synctest.Wait(); len(outcomes) != 1 || !errors.Is(<-outcomes, context.Canceled) {
			t.Error("one that is ended from the start waits")
		}
		end()
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
		r.mustRead(0, append(of('e', 512), of('a', blk-512)...))
		r.mustRead(blk, of('c', 1024))
		if synctest.Wait(); len(r.locks.places) > 0 || r.locks.mu.oldest != nil {
			t.Errorf("%d places are held", len(r.locks.places))
		}
	})
}

// However the end of a context falls together with the end of what is waited for, each write is told once, of one outcome.
func TestALaunchedWriteEndsOnceHoweverItIsGivenUp(t *testing.T) {
	r, _ := newLaunchRig(t, wishes{})
	for range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		outcomes := make(chan error, 8)
		for range 4 {
			if !r.Launch(ctx, of('a', 512), 0, func(err error) { outcomes <- err }) {
				t.Fatal("not taken")
			}
		}
		go cancel()
		r.Kick()
		for range 4 {
			if err := <-outcomes; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		<-ctx.Done()
		if len(outcomes) > 0 {
			t.Fatal("told twice")
		}
	}
}

func TestCloseWaitsForWhatIsLaunched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newLaunchRig(t, wishes{})
		outcome := r.launch(of('a', blk), 0)
		closed := make(chan error, 1)
		go func() { closed <- r.Close(context.Background()) }()
		synctest.Wait()
		if len(closed) > 0 {
			t.Fatal("closed")
		}
		if r.Launch(t.Context(), of('b', blk), blk, func(error) { t.Error("told") }) {
			t.Error("taken by a volume that is being closed")
		}
		r.Kick()
		if err := errors.Join(<-outcome, <-closed); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsNotLaunchedIsRefused(t *testing.T) {
	told := func(error) { t.Error("told") }
	r, _ := newLaunchRig(t, wishes{info: cachecore.ArrayInfo{Size: 4 * blk}})
	for _, c := range []struct {
		p   []byte
		off int64
	}{{nil, 0}, {of('a', 100), 0}, {of('a', 512), 100}, {of('a', 2*blk), 3 * blk}, {of('a', 512), -512}} {
		if r.Launch(t.Context(), c.p, c.off, told) {
			t.Errorf("%d bytes at %d", len(c.p), c.off)
		}
	}
	plain := newRig(t, wishes{})
	if plain.Launch(t.Context(), of('a', blk), 0, told) {
		t.Error("by an array that launches nothing")
	}
	plain.Kick()
}

// launchOrWrite writes p in the usual way if it is not taken, as it is the first to see that the array has grown.
func (m *model) launchOrWrite(p []byte, off int64) <-chan error {
	outcome := make(chan error, 1)
	if !m.Launch(context.Background(), p, off, func(err error) { outcome <- err }) {
		m.Kick() // what is before it
		outcome <- m.Write(context.Background(), p, off, false)
	}
	return outcome
}

// A volume is its array, with launches too: some that the array doesn't take after all, and some that fail in the log and then at the array.
func TestAVolumeThatLaunchesAgreesWithPlainBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &launching{}
		m := newModel(t, wishes{info: cachecore.ArrayInfo{Size: 50*blk + 512, Thin: true, UnmapZeroes: true},
			array: func(m *arraytest.Mem) cachecore.Array { l.Mem = m; return l }})
		calls := m.calls()
		calls["launch"] = func(t *rapid.T) {
			off, n := m.span(t)
			p := m.draw(t, int(n))
			l.refuse = rapid.Bool().Draw(t, "refuse")
			l.fail = 1 // or it is told a fault of the array's as the log's, and goes on as one that waits
			m.changes(t, off, p, func() error {
				outcome := m.launchOrWrite(p, off)
				m.Kick()
				return <-outcome
			})
		}
		calls["launch several"] = func(t *rapid.T) {
			var outcomes []<-chan error
			l.refuse, l.fail = rapid.IntRange(0, 5).Draw(t, "refuse") == 0, max(0, rapid.IntRange(-4, 3).Draw(t, "fail"))
			for range rapid.IntRange(2, 6).Draw(t, "several") {
				off, n := m.span(t)
				p := m.draw(t, int(n))
				outcomes = append(outcomes, m.launchOrWrite(p, off))
				copy(m.want[off:], p)
			}
			m.Kick()
			for _, outcome := range outcomes {
				if err := <-outcome; err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Repeat(calls)
		m.unpin(t)
	})
}

func BenchmarkLaunch(b *testing.B) {
	r, _ := newLaunchRig(b, wishes{})
	p, done := make([]byte, blk), func(error) {}
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if !r.Launch(context.Background(), p, i%1024*blk, done) {
			b.Fatal("not taken")
		}
		r.Kick()
	}
}
