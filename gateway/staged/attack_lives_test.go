package staged

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Where the log has lost records nothing is answered: the filer lacks what was acknowledged, of whatever file (PROTOCOL F2).
func TestF2_NothingIsAnsweredWhereTheLogHasLostRecords(t *testing.T) {
	r := newRig(t, slow)
	dir, h := r.mem.Root(), r.mem.Put("a", []byte("old"))
	r.array.Lose(errors.New("damage"))
	for p, a := range map[nfs.Procedure]nfs.Message{
		nfs.ProcGetAttr: &nfs.HandleArgs{Object: h}, nfs.ProcRead: &nfs.ReadArgs{File: h, Count: 3}, nfs.ProcWrite: &nfs.WriteArgs{File: h, Data: []byte("x")},
		nfs.ProcCommit: &nfs.CommitArgs{File: h}, nfs.ProcLookup: &nfs.DirOp{Dir: dir, Name: "a"}, nfs.ProcRemove: &nfs.DirOp{Dir: dir, Name: "a"},
		nfs.ProcSetAttr: &nfs.SetAttrArgs{Object: h},
	} {
		_, res := nfs.NewMessages(p)
		if read, ok := res.(*nfs.ReadResult); ok {
			read.Data = make([]byte, 3)
		}
		if err := r.Do(t.Context(), &nfs.Caller{}, p, a, res); !errors.Is(err, nfs.ErrAway) {
			t.Errorf("%v: %v, %+v", p, err, res)
		}
	}
}

// A SETATTR that has to wait for the filer is told that it is away, and keeps no WRITE waiting that long.
func TestAChangeIsToldThatTheFilerIsAway(t *testing.T) { synctest.Test(t, toldAway) }

func toldAway(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("content"))
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, func(nfs.Procedure, nfs.Message) bool { return true })
	done := make(chan error, 1)
	ctx := t.Context()
	go func() {
		var w nfs.WccResult
		done <- r.Do(ctx, &nfs.Caller{}, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o600))}}, &w)
	}()
	synctest.Wait()
	select {
	case err := <-done:
		if !errors.Is(err, nfs.ErrAway) {
			t.Error(err)
		}
	default:
		t.Error("it waits for as long as the filer is away")
	}
	trap.Release()
	r.drain()
	if got := r.mem.Get("a"); string(got) != "content" {
		t.Errorf("the filer has %q", got)
	}
}

// A life that may have fewer files with a slot than the one before carries what that has acknowledged all the same.
func TestSlotsAreNoBoundForWhatWasAcknowledged(t *testing.T) {
	most := 8
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.MaxFiles = most })
	for i := range 8 {
		r.write(r.mem.Put(name(i), nil), 0, []byte(name(i)))
	}
	most = 2
	r.restart()
	r.drain()
	for i := range 8 {
		if got := r.mem.Get(name(i)); string(got) != name(i) {
			t.Errorf("%s: the filer has %q", name(i), got)
		}
	}
	r.write(r.mem.Put("more", nil), 0, []byte("more"))
}

// What the mode leaves behind: once the filer answers for itself no file is taken for one with records.
func TestNoFileIsStagedInWriteThrough(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("content"))
	f := r.find(h)
	r.logged(f, &writelog.Record{Seq: 99, Epoch: 1}) // the log has failed before it had that
	r.letGo(f)
	_ = r.FileSystem.Log(r.log).Void(7, 2)
	if r.anyLacked(r.turn()) || r.find(h) != nil {
		t.Error("it is still there")
	}
}

// A filer that has restarted is there: a WRITE that is held until it has everything is not told otherwise.
func TestE1_AFilerThatHasRestartedIsNotAway(t *testing.T) { synctest.Test(t, restartedMeanwhile) }

func restartedMeanwhile(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("first"))
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcCommit))
	time.AfterFunc(time.Millisecond, trap.Release)
	r.drain() // its verifier is known, and the rate
	r.write(h, 0, []byte("second"))
	trap = r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcCommit))
	if err := r.array.SetMode(writeback.Through); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	done := make(chan error, 1)
	ctx := t.Context()
	go func() {
		var w nfs.WriteResult
		done <- r.Do(ctx, &nfs.Caller{}, nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: []byte("third")}, &w)
	}()
	synctest.Wait()
	r.mem.Restart()
	trap.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := r.mem.Get("a"); string(got) != "thirdd" {
		t.Errorf("the filer has %q", got)
	}
}
