package staged

import (
	"errors"
	"slices"
	"testing"

	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// What one user may another may not, nor the same one in other groups; and who may read may not write.
func TestE4_ARightIsOfOneUserAndOneUse(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", nil)
	nfstest.User{T: r.T(), FS: r.mem}.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(uint32(0o664)), GID: nfs.Some(uint32(5))})
	r.write(h, 0, []byte("content"))
	write := func(gids ...uint32) nfs.Status {
		var w nfs.WriteResult
		c := nfs.Caller{UID: 7, GID: 7, GIDs: gids}
		if err := r.Do(t.Context(), &c, nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: []byte("C"), Stable: nfs.FileSync}, &w); err != nil {
			t.Fatal(err)
		}
		return w.Status
	}
	if got := r.root.As(7, 7).Read(h, 0, 7); got.Status != nfs.OK {
		t.Fatal(got.Status)
	}
	if s := write(); s != nfs.ErrAcces {
		t.Errorf("of who may read: %v", s)
	}
	groups := []uint32{5}
	if s := write(groups...); s != nfs.OK {
		t.Errorf("of one of the group: %v", s)
	}
	groups[0] = 6 // a caller's groups are the request's, whose memory comes again
	if s := write(6); s != nfs.ErrAcces {
		t.Errorf("of one of another group: %v", s)
	}
	if s := write(5); s != nfs.OK {
		t.Errorf("of one of the group, again: %v", s)
	}
	if s := write(); s != nfs.ErrAcces {
		t.Errorf("of one of none: %v", s)
	}
}

// What the filer has said no to counts, also while it is away: what it let the user do before doesn't.
func TestE4_ARightEndsWhenTheFilerSaysSo(t *testing.T) {
	r := newRig(t, slow, func(o *Options, _ *writeback.Options) { o.Rights = 1 })
	h := r.mem.Put("a", []byte("content"))
	filer := nfstest.User{T: r.T(), FS: r.mem}
	r.write(h, 0, []byte("C"))
	r.expect(h, []byte("Content")) // of root's, who stays
	other := &nfs.Caller{UID: 7, GID: 7}
	read := func() (nfs.Status, error) {
		got := nfs.ReadResult{Data: make([]byte, 1)}
		err := r.Do(t.Context(), other, nfs.ProcRead, &nfs.ReadArgs{File: h, Count: 1}, &got) // the log has it
		return got.Status, err
	}
	if s, err := read(); s != nfs.OK || err != nil {
		t.Fatal(s, err)
	}
	filer.Chmod(h, 0o600)
	if s, err := read(); s != nfs.ErrAcces || err != nil {
		t.Errorf("once it is taken back: %v, %v", s, err)
	}
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, func(nfs.Procedure, nfs.Message) bool { return true })
	if s, err := read(); !errors.Is(err, nfs.ErrAway) {
		t.Errorf("while the filer is away: %v, %v", s, err)
	}
	if s := r.root.Read(h, 0, 1).Status; s != nfs.OK {
		t.Errorf("of another: %v", s)
	}
	trap.Release()
}

// What only the filer has of a file that the log has a part of is read as who reads, who may be the only one to do so.
func TestAFileIsReadAsWhoReads(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("content"))
	nfstest.User{T: r.T(), FS: r.mem}.SetAttr(h, nfs.SetAttr{Mode: nfs.Some(uint32(0o600)), UID: nfs.Some(uint32(7))})
	r.over(func(c nfs.Caller, _ nfs.Procedure, _, _ nfs.Message, next func(nfs.Caller) error) error {
		if c.UID == 0 {
			c = nfs.Caller{UID: 65534, GID: 65534}
		}
		return next(c)
	})
	owner := r.root.As(7, 7)
	if w := owner.Write(h, 0, nfs.FileSync, []byte("C")); w.Status != nfs.OK {
		t.Fatal(w.Status)
	}
	if got := owner.Read(h, 0, 7); got.Status != nfs.OK || string(got.Data) != "Content" {
		t.Errorf("%v, %q", got.Status, got.Data)
	}
}

// What lies between the filer's end and what the log has is zeros, whatever was in the memory.
func TestAHoleReadsAsZeros(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("abc"))
	r.write(h, 9000, []byte("x"))
	got := nfs.ReadResult{Data: slices.Repeat([]byte{0xff}, 9001)}
	if err := r.Do(t.Context(), &nfs.Caller{}, nfs.ProcRead, &nfs.ReadArgs{File: h, Count: 9001}, &got); err != nil {
		t.Fatal(err)
	}
	if want := "abc" + string(make([]byte, 8997)) + "x"; got.Status != nfs.OK || string(got.Data) != want {
		t.Errorf("%v, %d bytes, %q to %q", got.Status, len(got.Data), got.Data[:5], got.Data[len(got.Data)-5:])
	}
}

// A record that can't be of a file is not given to another one's addresses: nobody knows what is lost (PROTOCOL F2).
func TestF2_ARecordOfNoFileTakesAllOffline(t *testing.T) {
	var at writelog.Position
	for name, x := range map[string]writelog.Record{
		"behind a slot":     {Kind: writelog.Write, Off: slotSize - 1, Len: 2},
		"longer than one":   {Kind: writelog.Write, Len: slotSize + 1},
		"a size behind one": {Kind: writelog.Resize, Off: slotSize},
		"of another kind":   {Kind: writelog.Zero, Len: 4096},
	} {
		r := newRig(t, slow)
		x.Object, x.Shard, x.Epoch, x.Seq = r.mem.Put("a", nil), 7, 1, 1
		r.Recover(x, at)
		if _, err := r.array.Mode(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
		r.end()
	}
}

// No slot has addresses for a size of more than 64 TiB: the filer sets it.
func TestASizeThatNoAddressReachesIsTheFilersToSet(t *testing.T) {
	r := newRig(t, slow)
	h, set := r.mem.Put("a", nil), false
	r.over(func(c nfs.Caller, p nfs.Procedure, _, res nfs.Message, next func(nfs.Caller) error) error {
		if p == nfs.ProcSetAttr {
			set = true
			return nil
		}
		err := next(c)
		if info, ok := res.(*nfs.FSInfoResult); ok {
			info.MaxFileSize = 1 << 62
		}
		return err
	})
	r.write(r.mem.Put("b", nil), 0, []byte("content"))
	if s := r.root.Truncate(h, uint64(slotSize)).Status; s != nfs.OK || !set {
		t.Errorf("%v; the filer is asked: %v", s, set)
	}
}
