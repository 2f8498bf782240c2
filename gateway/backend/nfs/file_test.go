package nfs

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
)

const block = 512

// fileEvents gathers what is told of a file.
type fileEvents struct {
	mu   sync.Mutex
	list []FileEvent
}

func (e *fileEvents) hear(one FileEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, one)
}

// take returns what was told since it was called last.
func (e *fileEvents) take() []FileEvent {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.list
	e.list = nil
	return list
}

// disk runs a test in a bubble with a file of 64 blocks.
func disk(t *testing.T, play func(t *testing.T, a *File, s *san, told *fileEvents), change ...func(*Options)) {
	t.Helper()
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.mem.Put("luns/a.img", make([]byte, 64*block))
		told := new(fileEvents)
		a, err := OpenFile(t.Context(), f, FileOptions{Path: "luns/a.img", BlockSize: block, Watch: told.hear})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		play(t, a, s, told)
	}, change...)
}

func fill(a *File, n int64, with string, o cachecore.WriteOptions) error {
	return a.WriteAt(context.Background(), []byte(strings.Repeat(with, block)), n*block, o)
}

func (s *san) at(n int) byte { return s.mem.Get("luns/a.img")[n*block] }

func told(t *testing.T, e *fileEvents, want ...FileEvent) {
	t.Helper()
	if got := e.take(); !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

var lostWrites = FileEvent{Available: true, Unproven: true, Forsaken: true}

func TestE1_AFlushCoversWhatWasAnsweredUnderTheSameVerifier(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		mustBe(t, "flush", a.Flush(t.Context()), nil)
		s.mem.Restart()
		mustBe(t, "content after a power loss", s.at(0), byte('A'))
		mustBe(t, "flush with nothing written since", a.Flush(t.Context()), nil)
		told(t, e)
	})
}

func TestE1_AFlushFailsWhenTheFilerHasForgottenWrites(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		s.mem.Restart()
		mustBe(t, "content", s.at(0), byte(0))
		mustBe(t, "flush", errors.Is(a.Flush(t.Context()), errLost), true)
		told(t, e, lostWrites)
		mustBe(t, "write", fill(a, 0, "B", cachecore.WriteOptions{}), nil)
		mustBe(t, "flush", a.Flush(t.Context()), nil)
		mustBe(t, "content", s.at(0), byte('B'))
		told(t, e)
	})
}

func TestE1_ALossThatAWriteShowsIsToldWithItAndFailsTheNextFlush(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		s.mem.Restart()
		mustBe(t, "write", fill(a, 1, "B", cachecore.WriteOptions{}), nil)
		told(t, e, lostWrites)
		mustBe(t, "flush", errors.Is(a.Flush(t.Context()), errLost), true)
		mustBe(t, "flush", a.Flush(t.Context()), nil)
		told(t, e)
	})
}

func TestE1_ALossThatAnotherFileShowsIsToldToo(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		s.mem.Restart()
		other := s.mem.Put("other", nil)
		user(t, a.filer).Write(other, 0, wire.Unstable, []byte("B"))
		told(t, e, lostWrites)
		mustBe(t, "flush", errors.Is(a.Flush(t.Context()), errLost), true)
		mustBe(t, "flush", a.Flush(t.Context()), nil)
	})
}

func TestE1_WhatWasWrittenDurablyIsNotLost(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{FUA: true}), nil)
		s.mem.Restart()
		mustBe(t, "flush", a.Flush(t.Context()), nil)
		mustBe(t, "content", s.at(0), byte('A'))
		told(t, e)
	})
}

func TestAFilerThatAnswersADurableWriteAsAnotherIsRefused(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, _ *fileEvents) {
		unstable := twist(func(_ wire.Procedure, r wire.Message, _ *rpc.Call) bool {
			if w, ok := r.(*wire.WriteResult); ok {
				w.Committed = wire.Unstable
			}
			return false
		})
		s.twist.Store(&unstable)
		mustBe(t, "a write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		mustBe(t, "a durable write", errors.Is(fill(a, 0, "B", cachecore.WriteOptions{FUA: true}), errNotStable), true)
	})
}

func TestE1_AFlushThatWasUnderWayWhenALossWasFoundFails(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mustBe(t, "write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcCommit))
		var flushes [2]<-chan error
		for i := range flushes {
			flushes[i] = later(func() error { return a.Flush(context.Background()) })
			<-held.Caught
		}
		s.mem.Restart()
		held.Release()
		for _, came := range flushes {
			mustBe(t, "flush", errors.Is(<-came, errLost), true)
		}
		told(t, e, lostWrites)
	})
}

// The ledger alone, against the plain list of what was answered and under which verifier.
func TestE1_TheLedgerNeverCallsDurableWhatMayBeLost(t *testing.T) {
	v1, v2 := wire.Verifier{1}, wire.Verifier{2}
	for name, c := range map[string]struct {
		play    func(l *ledger) (covered bool)
		covered bool
	}{
		"nothing":              {func(l *ledger) bool { return first2(l.end(l.begin(), v1)) }, true},
		"one":                  {func(l *ledger) bool { l.wrote(v1); return first2(l.end(l.begin(), v1)) }, true},
		"one, lost":            {func(l *ledger) bool { l.wrote(v1); return first2(l.end(l.begin(), v2)) }, false},
		"two, the first lost":  {func(l *ledger) bool { l.wrote(v1); l.wrote(v2); return first2(l.end(l.begin(), v2)) }, false},
		"found meanwhile":      {func(l *ledger) bool { l.wrote(v1); m := l.begin(); l.wrote(v2); return first2(l.end(m, v2)) }, false},
		"written meanwhile":    {func(l *ledger) bool { l.wrote(v1); m := l.begin(); l.wrote(v1); return first2(l.end(m, v1)) }, true},
		"a late answer":        {func(l *ledger) bool { l.wrote(v2); l.wrote(v1); return first2(l.end(l.begin(), v2)) }, false},
		"flushed, then lost":   {func(l *ledger) bool { l.wrote(v1); l.end(l.begin(), v1); return first2(l.end(l.begin(), v2)) }, true},
		"meanwhile, then lost": {func(l *ledger) bool { m := l.begin(); l.wrote(v1); l.end(m, v1); return first2(l.end(l.begin(), v2)) }, false},
	} {
		if covered := c.play(new(ledger)); covered != c.covered {
			t.Errorf("%s: covered %v", name, covered)
		}
	}
}

func first2(a, _ bool) bool { return a }

func TestAFileFollowsItsFiler(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		s.stop()
		err := fill(a, 0, "A", cachecore.WriteOptions{})
		mustBe(t, "a write", errors.Is(err, cachecore.ErrUnavailable) && !errors.Is(err, cachecore.ErrUnknownOutcome), true)
		got := e.take()
		if len(got) != 1 || got[0].Available || got[0].Reason == "" {
			t.Fatalf("told %+v", got)
		}
		s.start(s.mem)
		time.Sleep(5 * time.Second)
		told(t, e, FileEvent{Available: true})
		mustBe(t, "a write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
	})
}

func TestAFileThatGrowsIsNoticed(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		user(t, s.mem).Truncate(a.handle, 100*block+7)
		time.Sleep(2 * pollInterval)
		told(t, e, FileEvent{Available: true, Resized: true})
		mustBe(t, "size", a.Info().Size, int64(100*block))
		mustBe(t, "a write to the new end", fill(a, 99, "A", cachecore.WriteOptions{}), nil)
	})
}

func TestAFileThatWasCutFailsReadsAndKeepsItsSize(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		user(t, s.mem).Truncate(a.handle, 10*block)
		time.Sleep(2 * pollInterval)
		mustBe(t, "size", a.Info().Size, int64(64*block))
		mustBe(t, "a read", errors.Is(a.ReadAt(t.Context(), make([]byte, 2*block), 9*block), errCut), true)
		told(t, e)
	})
}

// What was cached of the part that was cut is gone.
func TestWhatIsCachedOfAFileThatWasCutAndHasGrownAgainIsUnproven(t *testing.T) {
	for name, found := range map[string]func(t *testing.T, a *File){
		"by the poll": func(*testing.T, *File) { time.Sleep(2 * pollInterval) },
		"by a read":   func(t *testing.T, a *File) { _ = a.ReadAt(t.Context(), make([]byte, block), 63*block) },
	} {
		t.Run(name, func(t *testing.T) {
			disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
				user(t, s.mem).Truncate(a.handle, 10*block)
				found(t, a)
				told(t, e)
				user(t, s.mem).Truncate(a.handle, 64*block)
				time.Sleep(2 * pollInterval)
				told(t, e, FileEvent{Available: true, Unproven: true})
			})
		})
	}
}

func TestAFileThatIsRemovedIsUnavailable(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mine := s.mem
		s.stop()
		other := nfstest.New(nfstest.Options{})
		s.start(other) // the same file system without the file
		err := a.ReadAt(t.Context(), make([]byte, block), 0)
		mustBe(t, "a read", errors.Is(err, cachecore.ErrUnavailable) && errors.Is(err, cachecore.ErrIdentity), true)
		time.Sleep(2 * pollInterval)
		got := e.take()
		if len(got) != 1 || got[0].Available || !strings.Contains(got[0].Reason, "STALE") {
			t.Fatalf("told %+v", got)
		}
		a.hear(Event{Reason: "away"})
		a.hear(Event{Available: true})
		told(t, e, FileEvent{Reason: "away"}, got[0])
		s.stop()
		s.start(mine)
		time.Sleep(2 * pollInterval)
		told(t, e, FileEvent{Available: true})
	})
}

func TestD6_AFileIsThereAsSoonAsTheRightMediumIs(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		mine := s.mem
		s.stop()
		s.start(nfstest.New(nfstest.Options{FSID: 2}))
		mustBe(t, "a write", errors.Is(fill(a, 0, "A", cachecore.WriteOptions{}), cachecore.ErrIdentity), true)
		time.Sleep(2*pollInterval + time.Second) // it is looked at meanwhile
		if got := e.take(); len(got) != 1 || got[0].Available {
			t.Fatalf("told %+v", got)
		}
		s.stop()
		s.start(mine)
		for !a.filer.health.event().Available {
			time.Sleep(100 * time.Millisecond)
		}
		told(t, e, FileEvent{Available: true})
	})
}

func TestAFilerThatAsksForPatienceGetsIt(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, e *fileEvents) {
		times := func(n int) twist {
			return func(p wire.Procedure, r wire.Message, _ *rpc.Call) bool {
				if (p == wire.ProcRead || p == wire.ProcWrite) && n > 0 {
					n--
					*wire.StatusOf(r) = wire.ErrJukebox
				}
				return false
			}
		}
		s.answer(times(3))
		mustBe(t, "a write", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		s.answer(times(3))
		p := make([]byte, block)
		mustBe(t, "a read", a.ReadAt(t.Context(), p, 0), nil)
		mustBe(t, "content", p[0], byte('A'))
		s.answer(times(1000))
		mustBe(t, "in the end", errors.Is(fill(a, 0, "B", cachecore.WriteOptions{}), cachecore.ErrUnavailable), true)
		s.answer(nil)
		told(t, e)
	})
}

func TestErrorsAreTheArrays(t *testing.T) {
	for status, want := range map[wire.Status]error{wire.ErrNoSpc: cachecore.ErrNoSpace, wire.ErrDQuot: cachecore.ErrNoSpace,
		wire.ErrROFS: cachecore.ErrReadOnly, wire.ErrJukebox: cachecore.ErrUnavailable, wire.ErrStale: cachecore.ErrIdentity,
		wire.ErrIO: wire.ErrIO} {
		if err := statusError(status); !errors.Is(err, want) || !errors.Is(err, status) {
			t.Errorf("%v: %v", status, err)
		}
	}
}

func TestOnlyARegularFileOfBlocksIsOpened(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.mem.Put("dir/file", make([]byte, 5000))
		s.mem.Put("short", make([]byte, 100))
		u := user(t, s.mem)
		u.Symlink(f.Root(), "link", "dir/file")
		open := func(o FileOptions) error {
			a, err := OpenFile(t.Context(), f, o)
			if err == nil {
				a.Close()
			}
			return err
		}
		for _, o := range []FileOptions{{Path: "dir/file"}, {Path: "dir/file", BlockSize: 1024}, {Path: "dir", BlockSize: 512},
			{Path: "", BlockSize: 512}, {Path: "short", BlockSize: 512}, {Path: "link", BlockSize: 512}, {Path: "dir/../dir/file", BlockSize: 512},
			{Path: "../dir/file", BlockSize: 512}, {Path: "dir/../file", BlockSize: 512},
			{Path: "dir/file/more", BlockSize: 512}, {Path: "dir/none", BlockSize: 512}} {
			if open(o) == nil {
				t.Errorf("%+v is opened", o)
			}
		}
		for _, path := range []string{"dir/file", "/dir/file", "//dir/./file"} {
			mustBe(t, path, open(FileOptions{Path: path, BlockSize: 4096}), nil)
		}
	})
}

// A size that int64 has no room for would be a negative one.
func TestAFileThatIsTooLargeToBeTrueIsNotOpened(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.mem.Put("a", make([]byte, block))
		s.answer(func(_ wire.Procedure, r wire.Message, _ *rpc.Call) bool {
			if l, ok := r.(*wire.LookupResult); ok {
				l.Attr.Value.Size = 1<<63 + 64*block
			}
			return false
		})
		a, err := OpenFile(t.Context(), f, FileOptions{Path: "a", BlockSize: block})
		if err == nil {
			t.Errorf("it is opened with %d bytes", a.Info().Size)
			a.Close()
		}
	})
}

func TestD6_AFileIsKnownByItsIdentity(t *testing.T) {
	disk(t, func(t *testing.T, a *File, s *san, _ *fileEvents) {
		o := FileOptions{Path: "luns/a.img", BlockSize: block, Expected: a.Info().Identity}
		again, err := OpenFile(t.Context(), a.filer, o)
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
		u := user(t, s.mem)
		dir := s.mem.Find("luns")
		u.Rename(dir, "a.img", dir, "old.img")
		s.mem.Put("luns/a.img", make([]byte, 64*block))
		_, err = OpenFile(t.Context(), a.filer, o)
		mustBe(t, "another file in its place", errors.Is(err, cachecore.ErrIdentity), true)
		mustBe(t, "the one that is open", fill(a, 0, "A", cachecore.WriteOptions{}), nil)
		mustBe(t, "was written", s.mem.Get("luns/old.img")[0], byte('A'))
	})
}
