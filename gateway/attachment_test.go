package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// witness is a watcher that writes down what it is told.
type witness struct {
	mu   sync.Mutex
	told []string
}

func (w *witness) tell(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, what)
}

func (w *witness) attaching(info cachecore.ArrayInfo) { w.tell(fmt.Sprint("attaching ", info.Size)) }
func (w *witness) attached()                          { w.tell("attached") }
func (w *witness) lost(unflushed bool)                { w.tell(fmt.Sprint("lost ", unflushed)) }
func (w *witness) resized(info cachecore.ArrayInfo)   { w.tell(fmt.Sprint("resized ", info.Size)) }
func (w *witness) doubted(unflushed bool)             { w.tell(fmt.Sprint("doubted ", unflushed)) }

func (w *witness) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// kept is an attachment that runs, within a bubble.
type kept struct {
	*attachment
	*san
	t       *testing.T
	log     *lines
	witness *witness
	end     context.CancelFunc
	ended   chan struct{}
}

// keep runs a test with an attachment whose array begins as it is set up, and ends it.
func keep(t *testing.T, info cachecore.ArrayInfo, begin func(*san), test func(t *testing.T, k *kept)) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSAN(t, info), newLines(t)
		begin(s)
		k := &kept{attachment: newAttachment("san1", "mem", s.attach, log.logger()), san: s, t: t, log: log, witness: &witness{}, ended: make(chan struct{})}
		var ctx context.Context
		ctx, k.end = context.WithCancel(t.Context())
		go func() {
			k.run(ctx, k.witness)
			close(k.ended)
		}()
		synctest.Wait()
		test(t, k)
		k.end()
		<-k.ended
	})
}

func present(*san) {}

func (k *kept) write(o cachecore.WriteOptions) error {
	return k.WriteAt(k.t.Context(), make([]byte, 512), 0, o)
}

func (k *kept) heard(want ...string) {
	k.t.Helper()
	synctest.Wait()
	if told := k.witness.heard(); !slices.Equal(told, want) {
		k.t.Errorf("the watcher was told %q, not %q", told, want)
	}
}

func TestAnArrayIsTriedEverySecondAndEachTroubleToldOnce(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, func(s *san) { s.lose("no such disk") }, func(t *testing.T, k *kept) {
		time.Sleep(3500 * time.Millisecond)
		if n := k.attempts(); n != 4 {
			t.Errorf("%d attempts in 3.5 s", n)
		}
		k.log.expect(1, "no such disk", `"array":"san1"`, `"level":"warn"`)
		if attached, reason := k.state(); attached || reason != "array unavailable: no such disk" {
			t.Error(attached, reason)
		}
		if err := k.write(cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) {
			t.Error(err)
		}
		k.lose("another host has it")
		time.Sleep(2 * time.Second)
		k.log.expect(1, "another host has it")
		k.heard()
		k.comeBack()
		time.Sleep(time.Second)
		k.heard("attaching 8388608", "attached")
		if attached, reason := k.state(); !attached || reason != "" || k.Info().Size != 8*mib {
			t.Error(attached, reason, k.Info())
		}
		if err := k.write(cachecore.WriteOptions{}); err != nil {
			t.Error(err)
		}
		k.log.expect(2, "can't be attached")
	})
}

func TestALostArrayIsClosedAndAttachedAgain(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
		k.heard("attaching 8388608", "attached")
		k.lose("cable pulled")
		for range 3 { // who asks while it goes
			if err := k.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrUnavailable) {
				t.Error(err)
			}
		}
		k.heard("attaching 8388608", "attached", "lost false")
		if attached, reason := k.state(); attached || reason != "array unavailable: cable pulled" || k.isOpen() {
			t.Error(attached, reason)
		}
		if k.Info().Size != 8*mib {
			t.Error("its size is forgotten: ", k.Info().Size)
		}
		time.Sleep(5 * time.Second)
		k.log.expect(1, "array lost", "cable pulled")
		k.mem.Grow(16 * mib)
		k.comeBack()
		time.Sleep(time.Second)
		k.heard("attaching 8388608", "attached", "lost false", "attaching 16777216", "attached")
		if err := k.ReadAt(t.Context(), make([]byte, 512), 12*mib); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if attached, _ := k.state(); !attached {
			t.Error("what the old one answered ended the new one")
		}
	})
}

func TestAnErrorThatIsNotUnavailableEndsNoAttachment(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
		for _, err := range []error{errBoom, cachecore.ErrNoSpace, cachecore.ErrUnknownOutcome, context.Canceled} {
			k.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { return err })
			if got := k.write(cachecore.WriteOptions{}); !errors.Is(got, err) {
				t.Errorf("%v becomes %v", err, got)
			}
		}
		k.heard("attaching 8388608", "attached")
	})
}

func TestD2_TheNextIsOpenedOnceTheCallsOfTheLastHaveReturned(t *testing.T) {
	keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
		slow, done := k.mem.Hold(arraytest.After, nil), make(chan error)
		go func() { done <- k.write(cachecore.WriteOptions{}) }()
		<-slow.Arrived()
		k.lose("gone")
		if err := k.Flush(t.Context()); !errors.Is(err, cachecore.ErrUnavailable) {
			t.Error(err)
		}
		k.comeBack()
		time.Sleep(5 * time.Second)
		if n := k.attempts(); n != 1 || !k.isOpen() {
			t.Errorf("%d attempts while a write of the old one is under way", n)
		}
		if err := k.write(cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) {
			t.Error("a call reached the old one: ", err)
		}
		k.heard("attaching 8388608", "attached")
		slow.Release(nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
		k.heard("attaching 8388608", "attached", "lost true", "attaching 8388608", "attached")
	})
}

func TestTheEndOfAnAttachment(t *testing.T) {
	t.Run("while the array is away", func(t *testing.T) {
		keep(t, cachecore.ArrayInfo{}, func(s *san) { s.lose("away") }, func(t *testing.T, k *kept) {
			began := time.Now()
			k.end()
			<-k.ended
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("while it is opened", func(t *testing.T) {
		var stuck chan struct{}
		keep(t, cachecore.ArrayInfo{}, func(s *san) { stuck = make(chan struct{}); s.stuck = stuck }, func(t *testing.T, k *kept) {
			k.end()
			synctest.Wait()
			close(stuck)
			<-k.ended
			k.heard()
			if k.isOpen() {
				t.Error("it stays open")
			}
			k.log.expect(0, "attached")
		})
	})
	t.Run("while a call is under way", func(t *testing.T) {
		keep(t, cachecore.ArrayInfo{}, present, func(t *testing.T, k *kept) {
			slow, done := k.mem.Hold(arraytest.Before, nil), make(chan error)
			go func() { done <- k.write(cachecore.WriteOptions{}) }()
			<-slow.Arrived()
			k.end()
			synctest.Wait()
			if !k.isOpen() {
				t.Error("it is closed under the call")
			}
			if err := k.write(cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) {
				t.Error("a call after the end: ", err)
			}
			slow.Release(nil)
			if err := <-done; err != nil {
				t.Error(err)
			}
			<-k.ended
			k.heard("attaching 8388608", "attached") // it is the end, and no loss
			if _, reason := k.state(); reason != "the gateway ends" {
				t.Error(reason)
			}
		})
	})
}

// What is lost with an array is what it had answered, without FUA, and no flush after that has covered.
func TestE1_ChangesThatNoFlushCoversAreTold(t *testing.T) {
	cached, durable := cachecore.ArrayInfo{Size: mib, WriteCache: true, Thin: true}, cachecore.ArrayInfo{Size: mib, Thin: true}
	for name, c := range map[string]struct {
		info cachecore.ArrayInfo
		does []string
		want bool
	}{
		"nothing":                    {cached, nil, false},
		"a write":                    {cached, []string{"write"}, true},
		"a write with FUA":           {cached, []string{"fua"}, false},
		"zeroes":                     {cached, []string{"zero"}, true},
		"unmapped space":             {cached, []string{"unmap"}, true},
		"all flushed":                {cached, []string{"write", "zero", "unmap", "flush"}, false},
		"a write behind a flush":     {cached, []string{"write", "flush", "write"}, true},
		"a write during a flush":     {cached, []string{"write", "flush around write"}, true},
		"a flush that failed":        {cached, []string{"write", "failing flush"}, true},
		"a flush that failed, alone": {cached, []string{"failing flush"}, true}, // of what an earlier life had answered
		"a flush after a failed one": {cached, []string{"failing flush", "flush"}, false},
		"a flush that was given up":  {cached, []string{"flush given up"}, false},
		"a write that failed":        {cached, []string{"failing write"}, false},
		"no write cache":             {durable, []string{"write", "zero"}, false},
		"reads":                      {cached, []string{"read"}, false},
		"a flush after it is lost":   {cached, []string{"write", "lose", "flush"}, true},
		"the loss before was told":   {cached, []string{"write", "lose", "read", "return"}, false},
		"a write since the loss":     {cached, []string{"lose", "read", "return", "write"}, true},
		"FUA says nothing of others": {cached, []string{"write", "fua"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, c.info, present, func(t *testing.T, k *kept) {
				for _, what := range c.does {
					k.do(what)
				}
				k.do("lose")
				k.do("read")
				synctest.Wait()
				told := k.witness.heard()
				if last := told[len(told)-1]; last != fmt.Sprint("lost ", c.want) {
					t.Errorf("told: %q", told)
				}
			})
		})
	}
}

// do is one step of a story; whether it succeeds is not the story's point.
func (k *kept) do(what string) {
	ctx, p := k.t.Context(), make([]byte, 512)
	failing := func(f func() error) {
		k.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { return errBoom })
		_ = f()
		k.mem.Intercept(nil)
	}
	write, flush := func() error { return k.write(cachecore.WriteOptions{}) }, func() error { return k.Flush(ctx) }
	switch what {
	case "write":
		_ = write()
	case "fua":
		_ = k.write(cachecore.WriteOptions{FUA: true})
	case "zero":
		_ = k.WriteZeroes(ctx, 0, 512, false)
	case "unmap":
		_ = k.Unmap(ctx, 0, 512)
	case "flush":
		_ = flush()
	case "read":
		_ = k.ReadAt(ctx, p, 0)
	case "failing write":
		failing(write)
	case "failing flush":
		failing(flush)
	case "flush given up":
		given, cancel := context.WithCancel(ctx)
		k.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error { cancel(); return context.Canceled })
		_ = k.Flush(given)
		k.mem.Intercept(nil)
	case "flush around write":
		slow, done := k.mem.Hold(arraytest.Before, func(op arraytest.Op) bool { return op.Kind == arraytest.Flush }), make(chan error)
		go func() { done <- flush() }()
		<-slow.Arrived()
		_ = write()
		slow.Release(nil)
		<-done
	case "lose":
		k.lose("gone")
	case "return":
		synctest.Wait()
		k.comeBack()
		time.Sleep(retryAttach)
		synctest.Wait()
	default:
		k.t.Fatalf("no step %q", what)
	}
}
