package nfs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

func getAttr(ctx context.Context, f *Filer, h wire.Handle) error {
	var r wire.GetAttrResult
	if err := f.Do(ctx, &wire.Caller{}, wire.ProcGetAttr, &wire.HandleArgs{Object: h}, &r); err != nil {
		return err
	}
	return errOr(r.Status)
}

// turns are whether the filer was available, event by event.
func (e *events) turns() (list []bool) {
	for _, one := range e.all() {
		list = append(list, one.Available)
	}
	return list
}

func TestAFilerThatIsDownIsAwayAfterPatienceAndComesBack(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		s.stop()
		began := time.Now()
		var calls [3]<-chan error
		for i := range calls {
			calls[i] = later(func() error { return getAttr(t.Context(), f, h) })
		}
		for _, came := range calls {
			mustBe(t, "a call", errors.Is(<-came, wire.ErrAway), true)
		}
		mustBe(t, "time", time.Since(began), f.opts.Patience)
		mustBe(t, "a call while it is away", errors.Is(getAttr(t.Context(), f, h), wire.ErrAway), true)
		mustBe(t, "time", time.Since(began), f.opts.Patience)
		synctest.Wait()
		mustBe(t, "events", told.turns(), []bool{false})
		if why := told.reason(); !strings.Contains(why, "refused") {
			t.Errorf("the reason: %s", why)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		s.start(s.mem)
		for len(told.turns()) < 2 {
			time.Sleep(100 * time.Millisecond)
		}
		mustBe(t, "back soon", time.Since(began) < 3*time.Second, true)
		mustBe(t, "events", told.turns(), []bool{false, true})
		mustBe(t, "a call", getAttr(t.Context(), f, h), nil)
	})
}

func TestAShortOutageIsNotNoticed(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		s.stop()
		came := later(func() error { return getAttr(t.Context(), f, h) })
		time.Sleep(f.opts.Patience / 2)
		s.start(s.mem)
		mustBe(t, "a call", <-came, nil)
		time.Sleep(time.Minute)
		mustBe(t, "events", told.all(), []Event(nil))
	})
}

func TestAnIdleConnectionThatTheFilerDropsIsNotNoticed(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		for range 5 {
			mustBe(t, "a call", getAttr(t.Context(), f, h), nil)
			s.cut()
			time.Sleep(time.Hour)
		}
		mustBe(t, "events", told.all(), []Event(nil))
	})
}

func TestASlowCallIsNoSilence(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcCommit))
		came := later(func() error {
			return f.Do(t.Context(), &wire.Caller{}, wire.ProcCommit, &wire.CommitArgs{File: h}, new(wire.CommitResult))
		})
		time.Sleep(5 * f.opts.Patience)
		held.Release()
		mustBe(t, "the slow call", <-came, nil)
		mustBe(t, "events", told.all(), []Event(nil))
	})
}

func TestACallThatIsNeverAnsweredEndsAlone(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcCommit))
		began := time.Now()
		err := f.Do(t.Context(), &wire.Caller{}, wire.ProcCommit, &wire.CommitArgs{File: h}, new(wire.CommitResult))
		mustBe(t, "away", errors.Is(err, wire.ErrAway), true)
		mustBe(t, "time", time.Since(began), 40*time.Second)
		mustBe(t, "events", told.all(), []Event(nil))
		held.Release()
	}, func(o *Options) { o.CallTimeout = 40 * time.Second })
}

func TestAFilerThatFallsSilentIsAway(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		mustBe(t, "a call", getAttr(t.Context(), f, h), nil)
		s.mu.Lock()
		links := slices.Collect(maps.Keys(s.mu.links))
		s.mu.Unlock()
		held := s.mem.Hold(nfstest.Before, func(wire.Procedure, wire.Message) bool { return true })
		err := <-writing(t.Context(), f, h, 0, "A")
		mustBe(t, "away and unknown", errors.Is(err, wire.ErrAway) && errors.Is(err, wire.ErrOutcomeUnknown), true)
		synctest.Wait()
		for _, l := range links {
			mustBe(t, "a connection on which nothing came is given up", isClosed(l.gone), true)
		}
		held.Release()
		for len(told.turns()) < 2 {
			time.Sleep(100 * time.Millisecond)
		}
		mustBe(t, "events", told.turns(), []bool{false, true})
	})
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestALostConnectionIsOnlyItsOwn(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		stop := make(chan struct{})
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if err := getAttr(t.Context(), f, h); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		for range 20 {
			time.Sleep(50 * time.Millisecond)
			s.cut()
		}
		close(stop)
		callers.Wait()
		mustBe(t, "events", told.all(), []Event(nil))
	})
}

// Calls of the time before may still be on their way out when the filer is back.
func TestSilenceIsNoticedAfterAComebackToo(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		up, err := f.health.enter()
		mustBe(t, "a call", err, nil)
		f.health.goAway(errSilent)
		for len(told.turns()) < 2 {
			time.Sleep(10 * time.Second)
		}
		s.stop()
		began := time.Now()
		mustBe(t, "another one", errors.Is(getAttr(t.Context(), f, f.Root()), wire.ErrAway), true)
		mustBe(t, "time", time.Since(began), f.opts.Patience)
		f.health.leave(up, false)
		mustBe(t, "calls that wait", f.health.mu.waiting, 0)
	})
}

func TestCloseEndsCalls(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcWrite))
		came := writing(t.Context(), f, h, 0, "A")
		<-held.Caught
		f.Close()
		mustBe(t, "a call under way", errors.Is(<-came, wire.ErrAway), true)
		mustBe(t, "a call that comes later", errors.Is(getAttr(t.Context(), f, h), wire.ErrAway), true)
		mustBe(t, "events", told.all(), []Event(nil))
		held.Release()
	})
}

func TestD6_AnotherMediumIsNotServed(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", []byte("content"))
		mine := s.mem
		s.stop()
		other := nfstest.New(nfstest.Options{FSID: 2})
		other.Put("a", []byte("other"))
		s.start(other)
		began := time.Now()
		err := <-writing(t.Context(), f, h, 0, "A")
		mustBe(t, "the error", errors.Is(err, wire.ErrAway) && errors.Is(err, cachecore.ErrIdentity) && !errors.Is(err, wire.ErrOutcomeUnknown), true)
		mustBe(t, "at once", time.Since(began), time.Duration(0))
		time.Sleep(time.Minute)
		mustBe(t, "calls that reached the other one", other.Calls(wire.ProcWrite), 0)
		mustBe(t, "events", told.turns(), []bool{false})
		if why := told.reason(); !strings.Contains(why, cachecore.ErrIdentity.Error()) {
			t.Errorf("the reason: %s", why)
		}
		s.stop()
		s.start(mine)
		time.Sleep(5 * time.Second)
		mustBe(t, "events", told.turns(), []bool{false, true})
		mustBe(t, "the right one", <-writing(t.Context(), f, h, 0, "A"), nil)
	})
}

func TestD6_ARootThatIsGoneIsNotServed(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		s.stop()
		s.start(nfstest.New(nfstest.Options{HandleSize: 32})) // knows no handle of the first one's
		err := getAttr(t.Context(), f, f.Root())
		mustBe(t, "the error", errors.Is(err, wire.ErrAway) && errors.Is(err, cachecore.ErrIdentity) && errors.Is(err, errStale), true)
		synctest.Wait()
		mustBe(t, "events", told.turns(), []bool{false})
	})
}

func TestD6_TheExpectedIdentityIsHeldTo(t *testing.T) {
	var identity string
	story(t, func(_ *testing.T, f *Filer, _ *san, _ *events) { identity = f.Identity() })
	story(t, func(t *testing.T, f *Filer, _ *san, _ *events) { mustBe(t, "identity", f.Identity(), identity) },
		func(o *Options) { o.Expected = identity })
	synctest.Test(t, func(t *testing.T) {
		s := newSAN(t, nfstest.Options{FSID: 7})
		_, err := Open(t.Context(), Options{Server: "filer", Export: "/exp", Port: 2049, MountPort: 20048, Dial: s.dial, Expected: identity})
		mustBe(t, "another one", errors.Is(err, cachecore.ErrIdentity), true)
		s.stop()
	})
}
