package volume

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
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
