package staged

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// What the filer refuses for good of a file is followed by all that was acknowledged of it later, be it that the filer would take that; and nobody takes what
// the filer has for the file: it is not read, nor written where no record reaches.
func TestE4_WhatFollowsSomethingThatIsSavedIsSavedToo(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	came, goOn, refused := make(chan struct{}), make(chan struct{}), false
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		if w, ok := a.(*nfs.WriteArgs); ok && len(w.Data) > 0 && !refused {
			close(came)
			<-goOn
			refused = true
			res.(*nfs.WriteResult).Status = nfs.ErrDQuot
			return nil
		}
		return next(c)
	})
	r.write(h, 0, []byte("first"))
	done := make(chan error)
	go func() { done <- r.array.Drain(context.Background()) }()
	<-came
	r.write(h, 9, []byte("second"))
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.drain()
	saved, err := os.ReadFile(filepath.Join(r.parks.path(h), "data"))
	if got := r.mem.Get("a"); err != nil || string(saved) != "first\x00\x00\x00\x00second" || len(got) > 0 {
		t.Errorf("saved is %q (%v), and the filer has %q", saved, err, got)
	}
	if got := r.root.Read(h, 0, 10); got.Status != nfs.ErrIO {
		t.Errorf("READ: %v, %q", got.Status, got.Data)
	}
	if got := r.root.Write(h, uint64(slotSize), nfs.FileSync, []byte("x")); got.Status != nfs.ErrIO {
		t.Errorf("WRITE behind what records reach: %v", got.Status)
	}
}

// Somebody may write what was acknowledged: who wrote it, or else the owner, or else root.
func TestE4_WhatWasAcknowledgedIsWrittenAsWhoMay(t *testing.T) {
	const writer, owner = 7, 8
	for name, may := range map[string]uint32{"who wrote it": writer, "the owner": owner, "root": 0} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", nil)
			nfstest.User{T: r.T(), FS: r.mem}.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(uint32(0o666)), UID: nfs.Some(uint32(owner))})
			r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
				if w, ok := a.(*nfs.WriteArgs); ok && len(w.Data) > 0 && c.UID != may {
					res.(*nfs.WriteResult).Status = nfs.ErrAcces
					return nil
				}
				return next(c)
			})
			if w := r.root.As(writer, writer).Write(h, 0, nfs.FileSync, []byte("content")); w.Status != nfs.OK {
				t.Fatal(w.Status)
			}
			r.drain()
			if got := r.mem.Get("a"); string(got) != "content" || r.Parked() > 0 {
				t.Errorf("the filer has %q, %d parked", got, r.Parked())
			}
		})
	}
}

// A client that got a WRITE answered by the filer as unstable, before the log answered, writes that again: no COMMIT has the filer's verifier.
func TestH3_ACommitHasTheLogsVerifierWhoeverCommits(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	if c := r.root.Commit(h); c.Status != nfs.OK || c.Verifier != (nfs.Verifier{7}) || r.mem.Calls(nfs.ProcCommit) != 1 {
		t.Errorf("%+v, and the filer has been asked %d times", c, r.mem.Calls(nfs.ProcCommit))
	}
}

// A filer need not say of what kind a thing is that has a name: it is taken for a file that has records.
func TestANameFollowsItsContentWhateverTheFilerSaysOfIt(t *testing.T) {
	r := newRig(t, slow)
	h, had := r.mem.Put("a", nil), ""
	r.over(func(c nfs.Caller, p nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		if p == nfs.ProcRename {
			had = string(r.mem.Get("a"))
		}
		err := next(c)
		if found, ok := res.(*nfs.LookupResult); ok {
			found.Attr = nfs.PostOpAttr{}
		}
		return err
	})
	r.write(h, 0, []byte("content"))
	if s := r.root.Rename(r.mem.Root(), "a", r.mem.Root(), "b").Status; s != nfs.OK || had != "content" {
		t.Errorf("%v; the file had %q then", s, had)
	}
}

// A filer's clock may be too coarse to show that a file was emptied right after it was written; ours isn't.
func TestAFileThatIsEmptiedWithinATickLooksChanged(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	tick := r.root.GetAttr(h).Attr
	still := func(a *nfs.Attr) { a.Mtime, a.Ctime = tick.Mtime, tick.Ctime }
	r.over(func(c nfs.Caller, _ nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		err := next(c)
		switch res := res.(type) {
		case *nfs.GetAttrResult:
			still(&res.Attr)
		case *nfs.WriteResult:
			still(&res.Wcc.After.Value)
		case *nfs.CommitResult:
			still(&res.Wcc.After.Value)
		case *nfs.CreateResult:
			still(&res.Attr.Value)
		}
		return err
	})
	r.write(h, 0, []byte("content"))
	r.drain()
	before := r.root.GetAttr(h).Attr
	made := r.root.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: r.mem.Root(), Name: "a"}, Mode: nfs.Unchecked, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0))}})
	after := r.root.GetAttr(h).Attr
	if made.Status != nfs.OK || after.Size != 0 || !before.Mtime.Before(after.Mtime) || !before.Ctime.Before(after.Ctime) {
		t.Errorf("%v: %+v, and before that %+v", made.Status, after, before)
	}
}

// A filer may write less of a WRITE than it is given. What it says to have written more of, or nothing, it has not.
func TestAFilerThatWritesLessIsGivenTheRest(t *testing.T) {
	for name, first := range map[string]uint32{"less": 4, "nothing": 0, "more": 100} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { writesLess(t, first) })
		})
	}
}

// writesLess has the first WRITE answered with a count; not more than four bytes are written by any.
func writesLess(t *testing.T, first uint32) {
	r := newRig(t, fast)
	h := r.mem.Put("a", nil)
	var began []time.Time
	r.over(func(c nfs.Caller, p nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		w, ok := a.(*nfs.WriteArgs)
		if !ok || len(w.Data) == 0 {
			return next(c)
		}
		began = append(began, time.Now())
		if len(began) == 1 && first != 4 {
			*res.(*nfs.WriteResult) = nfs.WriteResult{Count: first}
			return nil
		}
		less := *w
		less.Data = w.Data[:min(4, len(w.Data))]
		return r.mem.Do(t.Context(), &c, p, &less, res)
	})
	r.write(h, 0, []byte("the content"))
	for r.array.Drain(t.Context()) != nil { // until the destager tries again
		synctest.Wait()
		time.Sleep(time.Second)
	}
	if got := r.mem.Get("a"); string(got) != "the content" {
		t.Errorf("the filer has %q", got)
	}
	if len(began) < 3 || began[1].After(began[0]) != (first != 4) {
		t.Errorf("it is written at %v", began)
	}
}

// While another file can't be carried the interval is tried again and again: what is saved of it already is not saved each time.
func TestE4_WhatIsSavedIsSavedOnceHoweverLongAnOutageLasts(t *testing.T) { synctest.Test(t, savedOnce) }

func savedOnce(t *testing.T) {
	r := newRig(t, slow)
	refused, other := r.mem.Put("a", nil), r.mem.Put("b", nil)
	var tries, back atomic.Int64
	goOn := make(chan struct{})
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		w, ok := a.(*nfs.WriteArgs)
		switch {
		case !ok || len(w.Data) == 0:
			return next(c)
		case string(w.File) == string(refused):
			<-goOn
			res.(*nfs.WriteResult).Status = nfs.ErrDQuot
			return nil
		case back.Load() == 0:
			tries.Add(1)
			res.(*nfs.WriteResult).Status = nfs.ErrJukebox
			return nil
		}
		return next(c)
	})
	r.write(refused, 0, []byte("first"))
	r.write(other, 0, []byte("content"))
	done := make(chan error, 1)
	go func() { done <- r.array.Drain(context.Background()) }()
	synctest.Wait()
	r.write(refused, 0, []byte("again")) // of the next interval
	close(goOn)
	time.Sleep(10 * time.Second)
	back.Store(1)
	if err := <-done; err != nil || tries.Load() < 10 {
		t.Fatalf("%v after %d tries", err, tries.Load())
	}
	r.drain()
	dir := r.parks.path(refused)
	data, err := os.ReadFile(filepath.Join(dir, "data"))
	ranges, also := os.ReadFile(filepath.Join(dir, "ranges"))
	if err != nil || also != nil || string(data) != "again" || string(ranges) != "0 5\n0 5\n" {
		t.Errorf("after %d tries: %q (%v), ranges %q (%v)", tries.Load(), data, err, ranges, also)
	}
	r.kill()
}

// A filer that puts off what is carried to it for long is as one that is away: a change that has to wait for it says so, and keeps nobody out meanwhile.
func TestAChangeDoesNotWaitForAFilerThatPutsOffWhatIsCarried(t *testing.T) {
	synctest.Test(t, putOff)
}

func putOff(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	files := &refuser{FileSystem: r.mem, which: func(_ nfs.Procedure, a nfs.Message) bool {
		w, ok := a.(*nfs.WriteArgs)
		return ok && len(w.Data) > 0
	}, status: nfs.ErrJukebox}
	r.kill()
	r.files = files
	r.start()
	files.on.Store(true)
	r.write(h, 0, []byte("content"))
	ended, written := make(chan error, 1), make(chan nfs.Status, 1)
	go func() {
		a := nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o600))}}
		ended <- r.Do(context.Background(), &nfs.Caller{}, nfs.ProcSetAttr, &a, new(nfs.WccResult))
	}()
	synctest.Wait()
	go func() { written <- r.root.Write(h, 7, nfs.FileSync, []byte("more")).Status }()
	time.Sleep(time.Second)
	if len(ended) == 0 || len(written) == 0 {
		t.Errorf("%d changes and %d WRITEs are answered", len(ended), len(written))
	}
	files.on.Store(false)
	if err, s := <-ended, <-written; !errors.Is(err, nfs.ErrAway) || s != nfs.OK {
		t.Errorf("SETATTR: %v, WRITE: %v", err, s)
	}
	r.drain()
	if got := r.mem.Get("a"); string(got) != "contentmore" {
		t.Errorf("the filer has %q", got)
	}
	r.kill()
}
