package staged

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// sizes are SETATTRs that set one.
func sizes(p nfs.Procedure, a nfs.Message) bool {
	set, ok := a.(*nfs.SetAttrArgs)
	return ok && set.Attr.Size.Follows
}

func (r *rig) resize(h nfs.Handle, size uint64) nfs.WccResult {
	r.Helper()
	before := r.mem.Calls(nfs.ProcSetAttr)
	w := r.root.Truncate(h, size)
	if w.Status != nfs.OK || !w.Wcc.After.Follows || w.Wcc.After.Value.Size != size {
		r.Fatalf("SETATTR: %+v", w)
	}
	if r.mem.Calls(nfs.ProcSetAttr) != before {
		r.Fatal("the filer is asked")
	}
	return w
}

// A size is answered by the log, and shown by everything that shows attributes; what was behind it is gone for good, and WRITEs go on behind it.
func TestH1_ASizeIsLoggedAndShown(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old content"))
	before := r.root.GetAttr(h).Attr
	w := r.resize(h, 3)
	shown := w.Wcc.After.Value
	if w.Wcc.Before.Value != weak(&before) || !before.Mtime.Before(shown.Mtime) || !before.Ctime.Before(shown.Ctime) {
		t.Errorf("%+v after %+v", w.Wcc, before)
	}
	for name, got := range map[string]nfs.Attr{"GETATTR": r.root.GetAttr(h).Attr, "LOOKUP": r.root.Lookup(r.mem.Root(), "a").Attr.Value,
		"READ": r.root.Read(h, 0, 1).Attr.Value, "COMMIT": r.root.Commit(h).Wcc.After.Value} {
		if got != shown {
			t.Errorf("%s: %+v, want %+v", name, got, shown)
		}
	}
	r.expect(h, []byte("old"))
	r.resize(h, 6)
	r.expect(h, []byte("old\x00\x00\x00"))
	r.write(h, 8, []byte("x"))
	r.expect(h, []byte("old\x00\x00\x00\x00\x00x"))
	if got := r.mem.Get("a"); string(got) != "old content" {
		t.Errorf("the filer has %q", got)
	}
	last := r.root.GetAttr(h).Attr
	r.drain()
	if got := r.mem.Get("a"); string(got) != "old\x00\x00\x00\x00\x00x" {
		t.Errorf("the filer has %q", got)
	}
	if got := r.root.GetAttr(h).Attr; got.Size != 9 || timesOf(&got) != timesOf(&last) {
		t.Errorf("once the filer has it: %+v, want %+v", got, last)
	}
}

// What a client's ftruncate asks for, the size and the mtime of now, is a size; what sets more goes to the filer.
func TestASizeIsLoggedByItself(t *testing.T) {
	now, then := nfs.SetTime{How: nfs.SetToServerTime}, nfs.SetTime{How: nfs.SetToClientTime, Time: nfs.Time{Seconds: 5}}
	size := nfs.Some(uint64(2))
	for name, c := range map[string]struct {
		set    nfs.SetAttr
		logged bool
	}{
		"with the time of now": {nfs.SetAttr{Size: size, Mtime: now}, true},
		"with another time":    {nfs.SetAttr{Size: size, Mtime: then}, false},
		"with the atime":       {nfs.SetAttr{Size: size, Atime: now}, false},
		"with a mode":          {nfs.SetAttr{Size: size, Mode: nfs.Some(uint32(0o600))}, false},
		"with an owner":        {nfs.SetAttr{Size: size, UID: nfs.Some(uint32(7))}, false},
		"too long":             {nfs.SetAttr{Size: nfs.Some(uint64(slotSize))}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", []byte("old"))
			r.write(h, 0, []byte("new"))
			w, size := r.root.SetAttr(h, c.set), c.set.Size.Value
			if w.Status != nfs.OK && size < uint64(slotSize) || w.Status == nfs.OK && w.Wcc.After.Value.Size != size {
				t.Errorf("%+v", w)
			}
			if logged := r.mem.Calls(nfs.ProcSetAttr) == 0; logged != c.logged {
				t.Errorf("logged: %t", logged)
			}
		})
	}
}

// Between a kill and the next life, and while the filer gets it, nothing is taken back: sizes and content are in the order in which they were answered.
func TestASizeAndContentKeepTheirOrder(t *testing.T) {
	type step struct {
		size uint64
		text string // at size, instead
	}
	for name, c := range map[string]struct {
		steps []step
		want  string
	}{
		"cut, then written behind": {[]step{{0, "0123456789"}, {3, ""}, {5, "xy"}}, "012\x00\x00xy"},
		"cut, then grown":          {[]step{{0, "0123456789"}, {3, ""}, {6, ""}}, "012\x00\x00\x00"},
		"written, then cut":        {[]step{{3, ""}, {2, "0123456789"}, {4, ""}}, "ol01"},
		"emptied, then written":    {[]step{{0, ""}, {0, "x"}}, "x"},
		"grown, then cut":          {[]step{{20, ""}, {18, "x"}, {5, ""}}, "old c"},
		"cut lower and lower":      {[]step{{8, ""}, {4, ""}, {6, ""}}, "old \x00\x00"},
		"cut again, then grown":    {[]step{{0, "0123456789"}, {5, ""}, {2, ""}, {8, ""}}, "01\x00\x00\x00\x00\x00\x00"},
	} {
		for _, how := range []string{"at once", "by a kill", "through kills", "one by one", "cut short"} {
			t.Run(name+" "+how, func(t *testing.T) {
				r := newRig(t, slow)
				h := r.mem.Put("a", []byte("old content"))
				for _, s := range c.steps {
					if s.text != "" {
						r.write(h, s.size, []byte(s.text))
					} else {
						r.resize(h, s.size)
					}
					switch how {
					case "one by one":
						r.drain()
					case "through kills":
						r.restart()
					}
				}
				switch how {
				case "by a kill":
					r.restart()
				case "cut short":
					r.cutShort(2)
				}
				r.expect(h, []byte(c.want))
				r.drain()
				if got := r.mem.Get("a"); string(got) != c.want {
					t.Errorf("the filer has %q", got)
				}
				r.expect(h, []byte(c.want))
			})
		}
	}
}

// cutShort has the filer get some calls of what was acknowledged, and then kills the gateway.
func (r *rig) cutShort(calls int) {
	r.Helper()
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, func(p nfs.Procedure, a nfs.Message) bool { // under the traps' lock
		w, ok := a.(*nfs.WriteArgs)
		if ok && len(w.Data) > 0 || sizes(p, a) || p == nfs.ProcCommit {
			calls--
		}
		return calls < 0
	})
	if err := r.FileSystem.drain(r.Context()); err != nil && !errors.Is(err, nfs.ErrAway) {
		r.Fatal(err)
	}
	r.kill()
	trap.Release()
	r.start()
}

// Once the filer has all records it alone says what the size is.
func TestASizeEndsWithItsRecords(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old content"))
	r.resize(h, 3)
	r.drain()
	others := nfstest.User{T: r.T(), FS: r.mem}
	others.Truncate(h, 9)
	if got := r.root.GetAttr(h).Attr.Size; got != 9 {
		t.Errorf("%d bytes", got)
	}
	if w := r.write(h, 0, []byte("x")); w.Wcc.After.Value.Size != 9 {
		t.Errorf("%d bytes after a WRITE", w.Wcc.After.Value.Size)
	}
}

// A log in memory doesn't answer what is to last: the filer has the size, and all before it, by then (PROTOCOL B8).
func TestB8_ASizeLastsWhereTheLogDoesNot(t *testing.T) {
	r := newRig(t, slow, func(o *Options, w *writeback.Options) { o.Durable, w.Durable = false, false })
	h := r.mem.Put("a", nil)
	r.root.Write(h, 0, nfs.Unstable, []byte("content"))
	if w := r.root.Truncate(h, 3); w.Status != nfs.OK || string(r.mem.Get("a")) != "con" {
		t.Errorf("%v, the filer has %q", w.Status, r.mem.Get("a"))
	}
}

// While the filer is away a size is answered to who may write, as a WRITE is.
func TestSizesGoOnWhileTheFilerIsAway(t *testing.T) {
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.Rights = 1 })
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("abc"))
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, func(nfs.Procedure, nfs.Message) bool { return true })
	r.resize(h, 1)
	var w nfs.WccResult
	cut := nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0))}}
	if err := r.Do(t.Context(), &nfs.Caller{UID: 7}, nfs.ProcSetAttr, &cut, &w); !errors.Is(err, nfs.ErrAway) {
		t.Errorf("of another: %v, %v", err, w.Status)
	}
	trap.Release()
	r.drain()
	if got := r.mem.Get("a"); string(got) != "a" {
		t.Errorf("the filer has %q", got)
	}
}

// Who may not set a size is told so by the filer, and nothing is logged (PROTOCOL E4).
func TestE4_ASizeThatIsRefusedIsNotLogged(t *testing.T) {
	for name, c := range map[string]struct {
		mode, uid uint32
		size      uint64
		want      nfs.Status
	}{
		"of another's file":       {0o600, 7, 1, nfs.ErrAcces},
		"beyond what files reach": {0o666, 7, 1 << 41, nfs.ErrFBig},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", []byte("old"))
			r.over(func(caller nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
				err := next(caller)
				if info, ok := res.(*nfs.FSInfoResult); ok {
					info.MaxFileSize = 1 << 40
				}
				if set, ok := a.(*nfs.SetAttrArgs); ok && set.Attr.Size.Value > 1<<40 {
					*res.(*nfs.WccResult) = nfs.WccResult{Status: nfs.ErrFBig}
				}
				return err
			})
			r.root.Chmod(h, c.mode)
			if w := r.root.As(c.uid, c.uid).Truncate(h, c.size); w.Status != c.want {
				t.Errorf("%v", w.Status)
			}
			if r.anyLacked(r.turn()) || r.Parked() > 0 {
				t.Error("something is logged")
			}
		})
	}
}

// The owner whom the mode doesn't let write is answered by the filer: servers differ in what they let one do who could open the file before.
func TestE4_AnOwnerWhoMayNotWriteIsAnsweredByTheFiler(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old"))
	r.root.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(uint32(0o444)), UID: nfs.Some(uint32(7))})
	before := r.mem.Calls(nfs.ProcSetAttr)
	r.root.As(7, 7).Truncate(h, 1)
	if r.mem.Calls(nfs.ProcSetAttr) == before {
		t.Error("the filer isn't asked")
	}
}

// A size that the filer refuses for good is saved with the content, in order, and the file is refused (PROTOCOL E4).
func TestE4_ASizeThatTheFilerRefusesForGoodIsSaved(t *testing.T) {
	r := newRig(t, slow)
	h, other := r.mem.Put("a", []byte("old")), r.mem.Put("b", []byte("other"))
	r.resize(h, 20)
	r.write(h, 5, []byte("lost"))
	r.resize(other, 2)
	nfstest.User{T: r.T(), FS: r.mem}.Remove(r.mem.Root(), "a") // behind the gateway's back
	r.drain()
	if got := r.mem.Get("b"); string(got) != "ot" {
		t.Errorf("the other file has %q", got)
	}
	saved := r.parks.path(h)
	if data, err := os.ReadFile(filepath.Join(saved, "data")); err != nil || string(data) != "\x00\x00\x00\x00\x00lost" {
		t.Errorf("saved: %q, %v", data, err)
	}
	if ranges, err := os.ReadFile(filepath.Join(saved, "ranges")); err != nil || string(ranges) != "size 20\n5 4\n" {
		t.Errorf("ranges: %q, %v", ranges, err)
	}
	if w := r.root.Truncate(h, 0); w.Status != nfs.ErrIO {
		t.Errorf("SETATTR: %v", w.Status)
	}
	if w := r.root.Truncate(other, 1); w.Status != nfs.OK {
		t.Errorf("SETATTR of the other: %v", w.Status)
	}
}

// What is saved of a file doesn't keep what a later size has taken away.
func TestE4_WhatIsSavedIsCutToo(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	for _, err := range []error{r.parks.put(h, []byte("0123456789"), 0, nfs.ErrStale), r.parks.resize(h, 3, nil), r.parks.resize(h, 30, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(r.parks.path(h), "data")); err != nil || string(data) != "012" {
		t.Errorf("saved: %q, %v", data, err)
	}
}

// A size waits for the WRITEs that are on their way: the one shown is of what the log has, in its order.
func TestH1_ASizeComesBehindTheWritesBeforeIt(t *testing.T) { synctest.Test(t, behindTheWrites) }

func behindTheWrites(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.root.Chmod(h, 0o666)
	r.write(h, 0, []byte("first"))
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcWrite))
	written, cut := make(chan nfs.Status, 1), make(chan nfs.Status, 1)
	go func() { written <- r.root.As(7, 7).Write(h, 5, nfs.FileSync, []byte("second")).Status }() // the filer is asked whether that is allowed
	synctest.Wait()
	go func() { cut <- r.root.Truncate(h, 2).Status }()
	synctest.Wait()
	if len(cut) > 0 {
		t.Error("it doesn't wait")
	}
	trap.Release()
	if w, s := <-written, <-cut; w != nfs.OK || s != nfs.OK {
		t.Errorf("WRITE %v, SETATTR %v", w, s)
	}
	r.expect(h, []byte("fi"))
}
