package staged

import (
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
)

// A file is truncated only when its records can't come back: a kill before the log has forgotten them would have them written again.
func TestWhatWasTruncatedDoesNotComeBackByAKill(t *testing.T) { synctest.Test(t, truncatedStays) }

func truncatedStays(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	killed := make(chan struct{})
	r.watch(&watchedLog{trim: func(cachecore.Seq) bool {
		<-killed
		return false
	}})
	r.write(h, 0, []byte("content"))
	ctx := t.Context()
	go func() { _ = r.array.Drain(ctx) }()
	synctest.Wait() // the filer has it, and the log is about to be told
	done := make(chan nfs.Status, 1)
	go func() {
		var w nfs.WccResult
		if r.Do(ctx, &nfs.Caller{}, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(uint64(0))}}, &w) == nil {
			done <- w.Status
		}
	}()
	synctest.Wait()
	answered := len(done) > 0
	close(killed)
	r.restart()
	r.drain()
	if got := r.mem.Get("a"); answered && len(got) > 0 {
		t.Errorf("the file was emptied, and has %q after a kill", got)
	}
}

// A file that is written to while older records of it are trimmed has records.
func TestAFileIsDirtyWhileARecordOfItIsOnItsWay(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.watch(&watchedLog{append: func(x writelog.Record) {
		if x.Seq == 2 {
			r.trimmed(1) // as the destager may, at any time
		}
	}})
	r.write(h, 0, []byte("first"))
	r.write(h, 5, []byte("second"))
	if !r.anyLacked(r.turn()) {
		t.Error("nobody knows that the file has a record")
	}
	r.root.Rename(r.mem.Root(), "a", r.mem.Root(), "b")
	if got := r.mem.Get("b"); string(got) != "firstsecond" {
		t.Errorf("the name has moved, and the filer has %q", got)
	}
	if f := r.find(h); f.staged() {
		t.Error("the filer has everything, and the file is staged")
	}
}

// What the log does not take leaves no trace: the file isn't taken for one with records for ever.
func TestARecordThatTheLogRefusesLeavesNothing(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	r.write(h, 0, []byte("first"))
	r.drain()
	f := r.find(h)
	defer r.letGo(f)
	big := make([][]byte, 1)
	big[0] = make([]byte, r.log.MaxData()+1)
	if err := r.FileSystem.Log(r.log).Append(writelog.Record{Shard: 7, Epoch: 9, Seq: 2, Kind: writelog.Write, Off: f.address(0), Len: int64(len(big[0]))}, big, nil); err == nil {
		t.Fatal("it is taken")
	}
	if f.staged() || r.anyLacked(r.turn()) {
		t.Error("it is taken for dirty")
	}
}
