package staged

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// What the log has is shown by everything that shows attributes, and the filer has nothing of it yet.
func TestAFileLooksAsItHasBeenWritten(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	before := r.root.GetAttr(h).Attr
	w := r.write(h, 2, []byte("new content"))
	if w.Wcc.Before.Value != weak(&before) || w.Wcc.After.Value.Size != 13 || !before.Mtime.Before(w.Wcc.After.Value.Mtime) || !before.Ctime.Before(w.Wcc.After.Value.Ctime) {
		t.Errorf("%+v after %+v", w.Wcc, before)
	}
	shown := w.Wcc.After.Value
	plus := r.root.ReadDirPlus(r.mem.Root(), 0, nfs.Verifier{}, 4096, 8192)
	for _, e := range plus.Entries {
		if e.Name == "a" && e.Attr.Value != shown {
			t.Errorf("READDIRPLUS: %+v", e.Attr.Value)
		}
	}
	for name, got := range map[string]nfs.Attr{"GETATTR": r.root.GetAttr(h).Attr, "LOOKUP": r.root.Lookup(r.mem.Root(), "a").Attr.Value,
		"ACCESS": r.root.Access(h, 0x3f).Attr.Value, "READ": r.root.Read(h, 0, 1).Attr.Value, "COMMIT": r.root.Commit(h).Wcc.After.Value} {
		if got != shown {
			t.Errorf("%s: %+v, want %+v", name, got, shown)
		}
	}
	r.expect(h, []byte("olnew content"))
	if got := r.mem.Get("a"); string(got) != "old" {
		t.Errorf("the filer has %q", got)
	}
	r.drain()
	if got := r.root.GetAttr(h).Attr; got.Size != shown.Size || got.Mtime != shown.Mtime || got.Ctime != shown.Ctime {
		t.Errorf("once the filer has it: %+v, want %+v", got, shown)
	}
	if got := r.mem.Get("a"); string(got) != "olnew content" {
		t.Errorf("the filer has %q", got)
	}
}

// A change behind the gateway's back shows, and so does what was written before and after it.
func TestAChangeByOthersShows(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.write(h, 0, []byte("ours"))
	r.drain()
	was := r.root.GetAttr(h).Attr
	nfstest.User{T: r.T(), FS: r.mem}.Write(h, 0, nfs.FileSync, []byte("theirs"))
	now := r.root.GetAttr(h).Attr
	if now.Size != 6 || !was.Mtime.Before(now.Mtime) || !was.Ctime.Before(now.Ctime) {
		t.Errorf("%+v, was %+v", now, was)
	}
	r.expect(h, []byte("theirs"))
}

// Who may not write a file gets that answer, and who may not read it doesn't read what the log has (PROTOCOL E4).
func TestE4_RightsAreAskedForBeforeAnythingIsLogged(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.root.Chmod(h, 0o600)
	other := r.root.As(7, 7)
	if w := other.Write(h, 0, nfs.FileSync, []byte("theirs")); w.Status != nfs.ErrAcces {
		t.Errorf("WRITE: %v", w.Status)
	}
	r.write(h, 0, []byte("ours"))
	for _, off := range []uint64{0, 2} {
		if got := other.Read(h, off, 4); got.Status != nfs.ErrAcces || len(got.Data) > 0 {
			t.Errorf("READ at %d: %v, %q", off, got.Status, got.Data)
		}
	}
	r.expect(h, []byte("ours"))
}

// A name is not moved before the filer has what was acknowledged of the file.
func TestANameFollowsItsContent(t *testing.T) {
	for name, change := range map[string]func(u nfstest.User, dir, h nfs.Handle) nfs.Status{
		"moved":    func(u nfstest.User, dir, _ nfs.Handle) nfs.Status { return u.Rename(dir, "a", dir, "b").Status },
		"linked":   func(u nfstest.User, dir, h nfs.Handle) nfs.Status { return u.Link(h, dir, "b").Status },
		"removed":  func(u nfstest.User, dir, _ nfs.Handle) nfs.Status { return u.Remove(dir, "a").Status },
		"replaced": func(u nfstest.User, dir, _ nfs.Handle) nfs.Status { return u.Rename(dir, "c", dir, "a").Status },
		"chmod":    func(u nfstest.User, _, h nfs.Handle) nfs.Status { return u.Chmod(h, 0o600).Status },
		"emptied": func(u nfstest.User, dir, _ nfs.Handle) nfs.Status {
			return u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: "a"}, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0))}}).Status
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", []byte("old"))
			r.mem.Put("c", nil)
			r.write(h, 0, []byte("new content"))
			trap := r.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
				w, ok := a.(*nfs.WriteArgs)
				return ok && len(w.Data) > 0
			})
			done := make(chan nfs.Status, 1)
			go func() { done <- change(r.root, r.mem.Root(), h) }()
			select {
			case <-trap.Caught: // the destager has begun, as somebody waits for it
			case s := <-done:
				t.Fatalf("it is done, with %v, before the filer has the content", s)
			}
			if r.mem.Find("a") == nil || r.mem.Find("b") != nil {
				t.Error("the name is moved before the filer has the content")
			}
			trap.Release()
			if s := <-done; s != nfs.OK {
				t.Error(s)
			}
			if dirty := r.array.Status().Dirty; dirty != 0 {
				t.Errorf("%d bytes are left", dirty)
			}
		})
	}
}

// What the filer refuses for good is saved, the file is refused, and everybody else's goes on (PROTOCOL E4).
func TestE4_WhatTheFilerRefusesForGoodIsSaved(t *testing.T) {
	r := newRig(t, slow)
	h, other := r.mem.Put("a", []byte("old")), r.mem.Put("b", nil)
	r.write(h, 5, []byte("lost"))
	r.write(other, 0, []byte("kept"))
	nfstest.User{T: r.T(), FS: r.mem}.Remove(r.mem.Root(), "a") // behind the gateway's back
	r.drain()
	if got := r.mem.Get("b"); string(got) != "kept" {
		t.Errorf("the other file has %q", got)
	}
	saved := r.parks.path(h)
	if data, err := os.ReadFile(filepath.Join(saved, "data")); err != nil || string(data) != "\x00\x00\x00\x00\x00lost" {
		t.Errorf("saved: %q, %v", data, err)
	}
	if ranges, err := os.ReadFile(filepath.Join(saved, "ranges")); err != nil || string(ranges) != "5 4\n" {
		t.Errorf("ranges: %q, %v", ranges, err)
	}
	if reason, err := os.ReadFile(filepath.Join(saved, "reason")); err != nil || !strings.Contains(string(reason), "NFS3ERR_STALE") {
		t.Errorf("reason: %q, %v", reason, err)
	}
	for range 2 {
		if w, got := r.root.Write(h, 0, nfs.FileSync, []byte("more")), r.root.Read(h, 0, 9); w.Status == nfs.OK || got.Status == nfs.OK || r.Parked() != 1 {
			t.Errorf("WRITE %v, READ %v, %d parked", w.Status, got.Status, r.Parked())
		}
		r.restart()
	}
}

// What is acknowledged of a file after something of it was saved would be saved too, and nobody told: so it is refused, though the filer would take it by now.
func TestE4_AFileOfWhichSomethingIsSavedIsNotWritten(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.kill()
	f := &refuser{FileSystem: r.mem, status: nfs.ErrDQuot, which: func(_ nfs.Procedure, a nfs.Message) bool {
		w, ok := a.(*nfs.WriteArgs)
		return ok && len(w.Data) > 0
	}}
	f.on.Store(true)
	r.files = f
	r.start()
	r.write(h, 0, []byte("lost"))
	r.drain()
	f.on.Store(false)
	if w := r.root.Write(h, 0, nfs.FileSync, []byte("more")); w.Status != nfs.ErrIO || r.Parked() != 1 {
		t.Errorf("WRITE %v, %d parked", w.Status, r.Parked())
	}
	r.drain()
	if got := r.mem.Get("a"); string(got) != "old" {
		t.Errorf("the filer has %q", got)
	}
}

// A filer that is full, or fails otherwise, keeps nothing from being there once it takes it.
func TestAFilerThatIsFullGetsItLater(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrNoSpc, nfs.ErrIO, nfs.ErrROFS, nfs.ErrServerFault, nfs.ErrJukebox} {
		t.Run(status.Error(), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { full(t, status) }) })
	}
}

func full(t *testing.T, status nfs.Status) {
	r := newRig(t, fast)
	h := r.mem.Put("a", nil)
	writes := func(p nfs.Procedure, a nfs.Message) bool { w, ok := a.(*nfs.WriteArgs); return ok && len(w.Data) > 0 }
	r.kill()
	f := &refuser{FileSystem: r.mem, which: writes, status: status}
	f.on.Store(true)
	r.files = f
	r.start()
	r.write(h, 0, []byte("content"))
	synctest.Wait()
	time.Sleep(time.Second)
	r.expect(h, []byte("content"))
	if r.Parked() != 0 || r.array.Status().Dirty == 0 {
		t.Errorf("%d parked, %+v", r.Parked(), r.array.Status())
	}
	f.on.Store(false)
	for r.array.Drain(t.Context()) != nil { // until the destager tries again
		synctest.Wait()
		time.Sleep(time.Second)
	}
	if got := r.mem.Get("a"); string(got) != "content" {
		t.Errorf("the filer has %q", got)
	}
}

// Once the log is full of what a filer doesn't take, what comes is answered as if the filer were full, whatever that says; and nothing of what was acknowledged
// is lost.
func TestE4_WhatNeitherTheLogNorTheFilerHasRoomForIsRefused(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrNoSpc, nfs.ErrROFS} {
		t.Run(status.Error(), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { noRoom(t, status) }) })
	}
}

func noRoom(t *testing.T, status nfs.Status) {
	r := newRig(t, fast)
	h, other := r.mem.Put("a", nil), r.mem.Put("b", []byte("content"))
	r.kill()
	f := &refuser{FileSystem: r.mem, status: status, which: func(_ nfs.Procedure, a nfs.Message) bool {
		w, ok := a.(*nfs.WriteArgs)
		return ok && len(w.Data) > 0
	}}
	f.on.Store(true)
	r.files = f
	r.start()
	r.write(other, 7, []byte(" and more"))
	var want []byte
	for got := nfs.OK; got == nfs.OK && len(want) < 64*mib; {
		p := bytes.Repeat([]byte{byte(len(want) >> 20)}, mib)
		switch got = r.root.Write(h, uint64(len(want)), nfs.FileSync, p).Status; got {
		case nfs.OK:
			want = append(want, p...)
		case nfs.ErrNoSpc:
		default:
			t.Fatalf("WRITE: %v", got)
		}
	}
	if n := len(want); n < 16*mib || n >= 64*mib {
		t.Errorf("%d bytes are taken", n)
	}
	if got := r.root.Truncate(other, 3).Status; got != nfs.ErrNoSpc {
		t.Errorf("SETATTR: %v", got)
	}
	f.on.Store(false)
	for r.array.Drain(t.Context()) != nil { // until the destager tries again
		time.Sleep(time.Second)
	}
	// Of the WRITE that was refused, it may have the beginning.
	if a, b := r.mem.Get("a"), r.mem.Get("b"); !bytes.HasPrefix(a, want) || len(a) >= len(want)+mib || string(b) != "content and more" || r.Parked() > 0 {
		t.Errorf("the filer has %d bytes of %d, and %q; %d parked", len(a), len(want), b, r.Parked())
	}
	r.write(h, 0, []byte("goes on"))
}

// The log keeps what the filer has taken until that has committed it.
func TestE1_NothingIsTrimmedThatTheFilerDoesNotCommit(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrJukebox, nfs.ErrIO, nfs.ErrServerFault} {
		t.Run(status.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, fast)
				h := r.mem.Put("a", nil)
				r.kill()
				f := &refuser{FileSystem: r.mem, which: func(p nfs.Procedure, _ nfs.Message) bool { return p == nfs.ProcCommit }, status: status}
				f.on.Store(true)
				r.files = f
				r.start()
				r.write(h, 0, []byte("content"))
				time.Sleep(10 * time.Second)
				if got := r.mem.Get("a"); string(got) != "content" || r.array.Status().Dirty == 0 {
					t.Errorf("the filer has %q, and the log %d bytes", got, r.array.Status().Dirty)
				}
				f.on.Store(false)
				time.Sleep(10 * time.Second)
				if n := r.array.Status().Dirty; n != 0 || r.Parked() != 0 {
					t.Errorf("the log has %d bytes, and %d files are saved", n, r.Parked())
				}
			})
		})
	}
}

// A filer that restarts before it has committed is written to again (PROTOCOL E1).
func TestE1_WhatAFilerForgotIsWrittenAgain(t *testing.T) {
	r := newRig(t, slow)
	a, b := r.mem.Put("a", nil), r.mem.Put("b", nil)
	r.write(a, 0, []byte("first"))
	r.drain() // its verifier is known
	r.write(a, 0, []byte("second"))
	r.write(b, 0, bytes.Repeat([]byte("b"), 9000))
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcCommit))
	done := make(chan error)
	go func() { done <- r.array.Drain(context.Background()) }()
	<-trap.Caught
	r.mem.Restart()
	trap.Release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.mem.Restart() // what it has not committed is gone
	if x, y := r.mem.Get("a"), r.mem.Get("b"); string(x) != "second" || len(y) != 9000 {
		t.Errorf("%q, %d bytes", x, len(y))
	}
}

// WRITEs of who was let write go on while the filer is away.
func TestWritesGoOnWhileTheFilerIsAway(t *testing.T) {
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.Rights = 1 })
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("a"))
	r.expect(h, []byte("a"))
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, func(nfs.Procedure, nfs.Message) bool { return true })
	r.write(h, 1, []byte("b"))
	r.expect(h, []byte("ab"))
	var w nfs.WriteResult
	if err := r.Do(t.Context(), &nfs.Caller{UID: 7}, nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: []byte("c")}, &w); !errors.Is(err, nfs.ErrAway) {
		t.Errorf("of another: %v, %v", err, w.Status)
	}
	trap.Release()
	r.drain()
	if got := r.mem.Get("a"); string(got) != "ab" {
		t.Errorf("the filer has %q", got)
	}
}

// A log in RAM answers as unstable what was asked for so, and else when the filer has it (PROTOCOL B8).
func TestB8_ALogInMemoryPromisesNoMoreThanItKeeps(t *testing.T) {
	r := newRig(t, slow, func(o *Options, w *writeback.Options) { o.Durable, w.Durable = false, false })
	h := r.mem.Put("a", nil)
	if w := r.root.Write(h, 0, nfs.Unstable, []byte("one")); w.Status != nfs.OK || w.Committed != nfs.Unstable || w.Verifier != (nfs.Verifier{7}) || len(r.mem.Get("a")) > 0 {
		t.Errorf("UNSTABLE: %+v, the filer has %q", w, r.mem.Get("a"))
	}
	if c := r.root.Commit(h); c.Status != nfs.OK || c.Verifier != (nfs.Verifier{7}) || string(r.mem.Get("a")) != "one" {
		t.Errorf("COMMIT: %+v, the filer has %q", c, r.mem.Get("a"))
	}
	if w := r.root.Write(h, 0, nfs.FileSync, []byte("two")); w.Status != nfs.OK || w.Committed != nfs.FileSync || string(r.mem.Get("a")) != "two" {
		t.Errorf("FILE_SYNC: %+v, the filer has %q", w, r.mem.Get("a"))
	}
}

// Slots are bounded; a file more is written when others have no records.
func TestSlotsAreBounded(t *testing.T) {
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.MaxFiles = 4 })
	var list []nfs.Handle
	for i := range 20 {
		h := r.mem.Put(name(i), nil)
		list = append(list, h)
		r.write(h, 0, []byte(name(i)))
	}
	for i, h := range list {
		r.expect(h, []byte(name(i)))
	}
	if n := len(r.mu.slots); n > 4 {
		t.Errorf("%d slots", n)
	}
}

// A SETATTR that is guarded is guarded by the time that is shown.
func TestAGuardIsWhatWasShown(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	shown := r.write(h, 0, []byte("content")).Wcc.After.Value
	cut := nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(uint64(3))}, Guard: nfs.Some(nfs.Time{Seconds: 1})}
	var no, yes nfs.WccResult
	r.root.Do(nfs.ProcSetAttr, &cut, &no)
	cut.Guard.Value = shown.Ctime
	r.root.Do(nfs.ProcSetAttr, &cut, &yes)
	if no.Status != nfs.ErrNotSync || yes.Status != nfs.OK {
		t.Errorf("%v, %v", no.Status, yes.Status)
	}
	r.expect(h, []byte("con"))
}

// An mtime that a client has set ahead of the clock is taken back by what is written then, and is so after a kill too, when the filer doesn't know yet.
func TestAnMtimeAheadIsTakenBackForGood(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	ahead := nfs.Time{Seconds: 4000000000}
	r.root.SetAttr(h, nfs.SetAttr{Mtime: nfs.SetTime{How: nfs.SetToClientTime, Time: ahead}})
	written := r.write(h, 0, []byte("content")).Wcc.After.Value.Mtime
	r.restart()
	if got := r.root.GetAttr(h).Attr.Mtime; !got.Before(ahead) || got.Before(written) {
		t.Errorf("%+v, and %+v before the kill", got, written)
	}
}
