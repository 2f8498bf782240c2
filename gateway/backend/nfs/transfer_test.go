package nfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

var small = nfstest.Options{ReadMax: 1000, WriteMax: 700}

func TestWhatIsLargerThanTheFilerTakesGoesInPieces(t *testing.T) {
	storyOf(t, small, func(t *testing.T, f *Filer, s *san, _ *events) {
		u := user(t, f)
		h := s.mem.Put("a", []byte("head"))
		want := bytes.Repeat([]byte("0123456789abc"), 500)
		before := u.GetAttr(h).Attr
		w := u.Write(h, 4, wire.DataSync, want)
		mustBe(t, "status, count", []any{w.Status, w.Count}, []any{wire.OK, uint32(len(want))})
		mustBe(t, "stable enough", w.Committed >= wire.DataSync, true)
		mustBe(t, "size before", w.Wcc.Before.Value.Size, uint64(4))
		mustBe(t, "ctime before", w.Wcc.Before.Value.Ctime, before.Ctime)
		mustBe(t, "size after", w.Wcc.After.Value.Size, uint64(4+len(want)))
		mustBe(t, "content", bytes.Equal(s.mem.Get("a")[4:], want), true)
		r := u.Read(h, 4, uint32(len(want)))
		mustBe(t, "status, count, EOF", []any{r.Status, r.Count, r.EOF}, []any{wire.OK, uint32(len(want)), true})
		mustBe(t, "what is read", bytes.Equal(r.Data, want), true)
		r = u.Read(h, 6000, 5000)
		mustBe(t, "at the end", []any{r.Count, len(r.Data), r.EOF}, []any{uint32(504), 504, true})
		mustBe(t, "info", f.Info(), Info{FSID: 1, ReadMax: 1000, WriteMax: 700})
	})
}

func TestWhatFailsInTheMiddleIsShort(t *testing.T) {
	storyOf(t, nfstest.Options{WriteMax: 4096, ReadMax: 4096, Capacity: 3 * 4096}, func(t *testing.T, f *Filer, s *san, _ *events) {
		u := user(t, f)
		h := s.mem.Put("a", nil)
		w := u.Write(h, 0, wire.Unstable, make([]byte, 5*4096))
		mustBe(t, "status, count", []any{w.Status, w.Count}, []any{wire.OK, uint32(3 * 4096)})
		mustBe(t, "the rest", u.Write(h, 3*4096, wire.Unstable, make([]byte, 4096)).Status, wire.ErrNoSpc)
	})
}

func TestNothingIsWrittenAndReadToo(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", []byte("content"))
		w := user(t, f).Write(h, 3, wire.FileSync, nil)
		mustBe(t, "WRITE", []any{w.Status, w.Count}, []any{wire.OK, uint32(0)})
		r := user(t, f).Read(h, 3, 0)
		mustBe(t, "READ", []any{r.Status, r.Count}, []any{wire.OK, uint32(0)})
	})
}

func TestE1_AllIsWrittenAgainWhenTheFilerHasLostTheFirstPieces(t *testing.T) {
	storyOf(t, small, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", nil)
		want := strings.Repeat("0123456789", 300)
		pieces := 0
		held := s.mem.Hold(nfstest.Before, func(p wire.Procedure, _ wire.Message) bool {
			if p == wire.ProcWrite {
				pieces++
			}
			return p == wire.ProcWrite && pieces == 3
		})
		came := writing(t.Context(), f, h, 0, want)
		<-held.Caught
		s.mem.Restart()
		held.Release()
		mustBe(t, "the write", <-came, nil)
		mustBe(t, "content", string(s.mem.Get("a")) == want, true)
		mustBe(t, "events", told.all(), []Event{{Available: true, VerifierChanged: true}})
	})
}

func TestE1_AChangeOfTheVerifierIsToldBeforeTheReplyThatShowsIt(t *testing.T) {
	for name, call := range map[string]func(u nfstest.User, h wire.Handle){
		"WRITE":             func(u nfstest.User, h wire.Handle) { u.Write(h, 0, wire.Unstable, []byte("A")) },
		"WRITE, FILE_SYNC":  func(u nfstest.User, h wire.Handle) { u.Write(h, 0, wire.FileSync, []byte("A")) },
		"COMMIT":            func(u nfstest.User, h wire.Handle) { u.Commit(h) },
		"WRITE in 2 pieces": func(u nfstest.User, h wire.Handle) { u.Write(h, 0, wire.Unstable, make([]byte, 800)) },
	} {
		t.Run(name, func(t *testing.T) {
			storyOf(t, small, func(t *testing.T, f *Filer, s *san, told *events) {
				h := s.mem.Put("a", nil)
				call(user(t, f), h)
				call(user(t, f), h)
				mustBe(t, "events", len(told.all()), 0)
				for n := range 3 {
					s.mem.Restart()
					call(user(t, f), h)
					mustBe(t, "events", told.all(), slices.Repeat([]Event{{Available: true, VerifierChanged: true}}, n+1))
					call(user(t, f), h)
					mustBe(t, "events", len(told.all()), n+1)
				}
			})
		})
	}
}

func TestE1_AReplyOfTheTimeBeforeIsToldToo(t *testing.T) {
	var v verifier
	one, two := wire.Verifier{1}, wire.Verifier{2}
	for i, c := range []struct {
		to   wire.Verifier
		lost bool
	}{{one, false}, {one, false}, {two, true}, {one, true}, {two, false}, {one, true}, {two, false}} {
		mustBe(t, "news "+string(rune('0'+i)), v.changed(c.to), c.lost)
	}
}

func TestTheCallerIsForwarded(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		u := user(t, f)
		h := s.mem.Put("a", []byte("content"))
		u.SetAttr(h, wire.SetAttr{Mode: wire.Some[uint32](0o640), UID: wire.Some[uint32](10), GID: wire.Some[uint32](20)})
		mustBe(t, "owner", u.As(10, 1).Read(h, 0, 1).Status, wire.OK)
		mustBe(t, "group", u.As(11, 20).Read(h, 0, 1).Status, wire.OK)
		mustBe(t, "other group", u.As(11, 1, 2, 3, 20).Read(h, 0, 1).Status, wire.OK)
		mustBe(t, "others", u.As(11, 1, 2, 3).Read(h, 0, 1).Status, wire.ErrAcces)
		many := make([]uint32, 20)
		mustBe(t, "too many groups", u.As(11, 1, many...).Read(h, 0, 1).Status, wire.ErrAcces)
	})
}

func TestConnectionsShareLongCalls(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", make([]byte, 64))
		held := s.mem.Hold(nfstest.Before, nfstest.Only(wire.ProcWrite))
		var all sync.WaitGroup
		long := strings.Repeat("A", crowd*callOfBytes)
		for i := range 8 {
			all.Go(func() { mustBe(t, "a write", <-writing(t.Context(), f, h, uint64(i), long), nil) })
		}
		for range 8 {
			<-held.Caught
		}
		for _, c := range f.channels {
			mustBe(t, "calls of a channel", int(c.busy.Load()/(1+crowd)), 2)
		}
		held.Release()
		all.Wait()
	}, func(o *Options) { o.Connections = 4 })
}

func TestListingsAreAskedForWithinBounds(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.furnish()
		u := user(t, f)
		mustBe(t, "READDIR", u.ReadDir(f.Root(), 0, wire.Verifier{}, 1<<31).Status, wire.OK)
		mustBe(t, "READDIRPLUS", u.ReadDirPlus(f.Root(), 0, wire.Verifier{}, 1<<31, 1<<31).Status, wire.OK)
		a := bounded(&wire.ReadDirArgs{Cookie: 7, Count: 1 << 31})
		mustBe(t, "READDIR", a, wire.Message(&wire.ReadDirArgs{Cookie: 7, Count: maxTransfer}))
		a = bounded(&wire.ReadDirPlusArgs{Cookie: 7, DirCount: 1 << 31, MaxCount: 1 << 31})
		mustBe(t, "READDIRPLUS", a, wire.Message(&wire.ReadDirPlusArgs{Cookie: 7, DirCount: maxTransfer, MaxCount: maxTransfer}))
	})
}

// Results that are long lie in memory that is used again for the next ones.
func TestResultsAreTheCallersOwn(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		for i := range 200 {
			s.mem.Put(fmt.Sprint("file", i), nil)
		}
		s.mem.Put("long", bytes.Repeat([]byte{0xaa}, 64<<10))
		u := user(t, f)
		r := u.ReadDirPlus(f.Root(), 0, wire.Verifier{}, 1<<20, 1<<20)
		for _, n := range []uint32{20 << 10, 40 << 10, 60 << 10} {
			u.Read(s.mem.Find("long"), 0, n)
		}
		mustBe(t, "entries", len(r.Entries) > 200, true)
		for _, e := range r.Entries {
			if want := s.mem.Find(e.Name); strings.HasPrefix(e.Name, "file") && !bytes.Equal(e.Handle.Value, want) {
				t.Fatalf("the handle of %s has become %x instead of %x", e.Name, e.Handle.Value, want)
			}
		}
	})
}

func TestAContextThatHasEndedEndsACall(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := getAttr(ctx, f, h)
		mustBe(t, "the error", errors.Is(err, context.Canceled) && !errors.Is(err, wire.ErrAway), true)
	})
}

// Who comes with the same verifier while it is being told isn't answered before that is done.
func TestE1_AChangeOfTheVerifierIsToldBeforeAnyReplyThatShowsIt(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, told *events) {
		h := s.mem.Put("a", nil)
		mustBe(t, "a write", <-writing(t.Context(), f, h, 0, "A"), nil)
		f.audience.add(func(Event) {
			if f.verifier.mu.TryLock() {
				f.verifier.mu.Unlock()
				t.Error("others that see it go on")
			}
		}, nil)
		s.mem.Restart()
		mustBe(t, "another write", <-writing(t.Context(), f, h, 0, "B"), nil)
		mustBe(t, "events", told.all(), []Event{{Available: true, VerifierChanged: true}})
		mustBe(t, "one more", <-writing(t.Context(), f, h, 0, "C"), nil)
	})
}
