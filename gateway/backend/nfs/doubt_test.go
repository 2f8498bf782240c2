package nfs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// lose sends what call does, has it held by the filer as a call of p, and cuts its connection: the filer may execute it as long as the trap is set.
func lose(t *testing.T, s *san, p wire.Procedure, call func() error) (held *nfstest.Trap, came <-chan error) {
	t.Helper()
	held = s.mem.Hold(nfstest.Before, first(nfstest.Only(p)))
	came = later(call)
	<-held.Caught
	s.cut()
	return held, came
}

func write(f *Filer, h wire.Handle, off uint64, p string) func() error {
	return func() error { return <-writing(context.Background(), f, h, off, p) }
}

func TestD2_AWriteWaitsUntilAnOlderOneCanNotLandAnyMore(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", make([]byte, 64))
		began := time.Now()
		held, came := lose(t, s, wire.ProcWrite, write(f, h, 8, "AAAA"))
		mustBe(t, "the write, sent again", <-came, nil)
		overlapping := writing(t.Context(), f, h, 11, "BB")
		mustBe(t, "a write beside it", <-writing(t.Context(), f, h, 12, "CC"), nil)
		mustBe(t, "a read", string(user(t, f).Read(h, 8, 4).Data), "AAAA")
		mustBe(t, "so far", time.Since(began) < f.opts.Drain, true)
		pending(t, "a write that overlaps", overlapping)
		time.Sleep(f.opts.Drain / 2)
		held.Release() // the copy that was left behind lands
		mustBe(t, "the write that overlaps", <-overlapping, nil)
		mustBe(t, "time that it waited", time.Since(began) >= f.opts.Drain, true)
		mustBe(t, "content", string(s.mem.Get("a")[8:14]), "AAABBC")
		mustBe(t, "events", told.all(), []Event(nil))
		mustBe(t, "what is in doubt", int(f.doubts.count.Load()), 0)
	})
}

func TestD2_WhatChangesTheSizeWaitsForWritesAndIsWaitedFor(t *testing.T) {
	size := func(f *Filer, h wire.Handle, size uint64) func() error {
		return func() error {
			var r wire.WccResult
			a := &wire.SetAttrArgs{Object: h, Attr: wire.SetAttr{Size: wire.Some(size)}}
			return f.Do(context.Background(), &wire.Caller{}, wire.ProcSetAttr, a, &r)
		}
	}
	for name, c := range map[string]struct {
		lost wire.Procedure
		one  func(*Filer, wire.Handle) func() error
		two  func(*Filer, wire.Handle) func() error
		want int // bytes
	}{
		"SETATTR behind WRITE": {wire.ProcWrite, func(f *Filer, h wire.Handle) func() error { return write(f, h, 60, "AAAA") },
			func(f *Filer, h wire.Handle) func() error { return size(f, h, 10) }, 10},
		"CREATE behind WRITE": {wire.ProcWrite, func(f *Filer, h wire.Handle) func() error { return write(f, h, 60, "AAAA") },
			func(f *Filer, _ wire.Handle) func() error {
				return func() error {
					a := &wire.CreateArgs{Where: at(f.Root(), "a"), Attr: wire.SetAttr{Size: wire.Some[uint64](10)}}
					return f.Do(context.Background(), &wire.Caller{}, wire.ProcCreate, a, new(wire.CreateResult))
				}
			}, 10},
		"WRITE behind SETATTR": {wire.ProcSetAttr, func(f *Filer, h wire.Handle) func() error { return size(f, h, 10) },
			func(f *Filer, h wire.Handle) func() error { return write(f, h, 60, "AAAA") }, 64},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
				h := s.mem.Put("a", make([]byte, 64))
				held, came := lose(t, s, c.lost, c.one(f, h))
				mustBe(t, "the first", <-came, nil)
				second := later(c.two(f, h))
				pending(t, "the second", second)
				held.Release()
				mustBe(t, "the second", <-second, nil)
				mustBe(t, "size", len(s.mem.Get("a")), c.want)
			})
		})
	}
}

func TestD2_AReadWaitsForAWriteOfWhichNobodyKnowsTheOutcome(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", make([]byte, 64))
		ctx, cancel := context.WithCancel(t.Context())
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcWrite))
		came := writing(ctx, f, h, 8, "AAAA")
		<-held.Caught
		cancel()
		err := <-came
		mustBe(t, "the write is of unknown outcome", errors.Is(err, wire.ErrOutcomeUnknown) && errors.Is(err, context.Canceled), true)
		var got wire.ReadResult
		read := later(func() error {
			got.Data = make([]byte, 8)
			return f.Do(t.Context(), &wire.Caller{}, wire.ProcRead, &wire.ReadArgs{File: h, Offset: 4, Count: 8}, &got)
		})
		pending(t, "a read", read)
		began := time.Now()
		held.Release()
		mustBe(t, "the read", <-read, nil)
		mustBe(t, "content", string(got.Data), "\x00\x00\x00\x00AAAA")
		mustBe(t, "the reply of the write is enough", time.Since(began) < time.Second, true)
	})
}

func TestD2_TheSameWriteOnceMoreNeedNotWait(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", make([]byte, 64))
		ctx, cancel := context.WithCancel(t.Context())
		held := s.mem.Hold(nfstest.Before, first(nfstest.Only(wire.ProcWrite)))
		came := writing(ctx, f, h, 8, "AAAA")
		<-held.Caught
		cancel()
		<-came
		began := time.Now()
		other := writing(t.Context(), f, h, 8, "AAAB")
		mustBe(t, "the same", <-writing(t.Context(), f, h, 8, "AAAA"), nil)
		mustBe(t, "a read of what is certain now", string(user(t, f).Read(h, 8, 4).Data), "AAAA")
		mustBe(t, "time", time.Since(began), time.Duration(0))
		pending(t, "another one", other)
		s.cut()
		mustBe(t, "another one", <-other, nil)
		mustBe(t, "it waited", time.Since(began), f.opts.Drain)
		held.Release()
	})
}

func TestD2_ANameWaitsUntilAnOlderChangeOfItCanNotLandAnyMore(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.mem.Put("a", []byte("old"))
		remove := func() error {
			var r wire.WccResult
			return f.Do(context.Background(), &wire.Caller{}, wire.ProcRemove, &wire.DirOp{Dir: f.Root(), Name: "a"}, &r)
		}
		held, came := lose(t, s, wire.ProcRemove, remove)
		mustBe(t, "REMOVE", <-came, nil)
		u := user(t, f)
		made := later(func() error { return errOr(u.Create(f.Root(), "a", 0o644).Status) })
		mustBe(t, "another name", u.Create(f.Root(), "b", 0o644).Status, wire.OK)
		pending(t, "CREATE", made)
		held.Release()
		mustBe(t, "CREATE", <-made, nil)
		mustBe(t, "the file is there", s.mem.Get("a") != nil, true)
	})
}

func errOr(s wire.Status) error {
	if s == wire.OK {
		return nil
	}
	return s
}

func TestD2_ACutByCreateIsWaitedFor(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", []byte("old content"))
		held, came := lose(t, s, wire.ProcCreate, func() error {
			var r wire.CreateResult
			a := &wire.CreateArgs{Where: wire.DirOp{Dir: f.Root(), Name: "a"}, Attr: wire.SetAttr{Size: wire.Some[uint64](0)}}
			return f.Do(context.Background(), &wire.Caller{}, wire.ProcCreate, a, &r)
		})
		mustBe(t, "CREATE", <-came, nil)
		wrote := writing(t.Context(), f, h, 0, "new")
		pending(t, "WRITE", wrote)
		held.Release()
		mustBe(t, "WRITE", <-wrote, nil)
		mustBe(t, "content", string(s.mem.Get("a")), "new")
	})
}

// The first one says nothing of the file that it may cut; the second one does.
func TestD2_ACutByACreateThatWasGivenUpIsWaitedForWhenItIsMadeAgain(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", []byte("old content"))
		create := func(ctx context.Context) error {
			a := &wire.CreateArgs{Where: at(f.Root(), "a"), Attr: wire.SetAttr{Size: wire.Some[uint64](0)}}
			return f.Do(ctx, &wire.Caller{}, wire.ProcCreate, a, new(wire.CreateResult))
		}
		ctx, cancel := context.WithCancel(t.Context())
		held := s.mem.Hold(nfstest.Before, first(nfstest.Only(wire.ProcCreate)))
		came := later(func() error { return create(ctx) })
		<-held.Caught
		cancel()
		mustBe(t, "CREATE is of unknown outcome", errors.Is(<-came, wire.ErrOutcomeUnknown), true)
		mustBe(t, "CREATE once more", create(t.Context()), nil)
		wrote := writing(t.Context(), f, h, 0, "new")
		pending(t, "WRITE", wrote)
		held.Release() // the first one cuts
		mustBe(t, "WRITE", <-wrote, nil)
		mustBe(t, "content", string(s.mem.Get("a")), "new")
	})
}

func TestD2_ACutByACreateThatWasGivenUpIsWaitedForThoughItIsNotMadeAgain(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", []byte("old content"))
		ctx, cancel := context.WithCancel(t.Context())
		held := s.mem.Hold(nfstest.Before, first(nfstest.Only(wire.ProcCreate)))
		came := later(func() error {
			a := &wire.CreateArgs{Where: at(f.Root(), "a"), Attr: wire.SetAttr{Size: wire.Some[uint64](4)}}
			return f.Do(ctx, &wire.Caller{}, wire.ProcCreate, a, new(wire.CreateResult))
		})
		<-held.Caught
		cancel()
		mustBe(t, "CREATE is of unknown outcome", errors.Is(<-came, wire.ErrOutcomeUnknown), true)
		began := time.Now()
		mustBe(t, "a WRITE of what stays", <-writing(t.Context(), f, h, 0, "NEW "), nil)
		mustBe(t, "another name", user(t, f).Create(f.Root(), "b", 0o644).Status, wire.OK)
		mustBe(t, "time", time.Since(began), time.Duration(0))
		wrote := writing(t.Context(), f, h, 4, "new")
		pending(t, "a WRITE of what may be cut", wrote)
		held.Release()
		mustBe(t, "WRITE", <-wrote, nil)
		mustBe(t, "content", string(s.mem.Get("a")), "NEW new")
		mustBe(t, "the reply of the CREATE is enough", time.Since(began) < time.Second, true)
	})
}

func TestCloseDoesNotWaitForWhatIsInDoubt(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", make([]byte, 64))
		held, came := lose(t, s, wire.ProcWrite, write(f, h, 8, "AAAA"))
		mustBe(t, "a write", <-came, nil)
		second := later(write(f, h, 8, "B"))
		pending(t, "the second", second)
		began := time.Now()
		f.Close()
		mustBe(t, "time", time.Since(began), time.Duration(0))
		mustBe(t, "the second", errors.Is(<-second, wire.ErrAway), true)
		held.Release()
	})
}

func TestD2_AWaitForWhatNeverEndsEnds(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", make([]byte, 64))
		ctx, cancel := context.WithCancel(t.Context())
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcWrite))
		came := writing(ctx, f, h, 8, "AAAA")
		<-held.Caught
		cancel()
		<-came
		began := time.Now()
		patient, impatient := writing(t.Context(), f, h, 8, "B"), context.Background()
		impatient, cancel = context.WithTimeout(impatient, time.Second)
		defer cancel()
		mustBe(t, "one that is given up", errors.Is(<-writing(impatient, f, h, 8, "C"), context.DeadlineExceeded), true)
		mustBe(t, "one that is patient", errors.Is(<-patient, wire.ErrAway), true)
		mustBe(t, "its patience", time.Since(began), f.opts.CallTimeout)
		held.Release()
		synctest.Wait()
		mustBe(t, "then", <-writing(t.Context(), f, h, 8, "D"), nil)
	}, func(o *Options) { o.CallTimeout = 10 * time.Second })
}
