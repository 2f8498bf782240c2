package gateway

import (
	"bytes"
	"strings"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// move puts a volume over another array and begins another life.
func (x *logged) move(name, array string, to *arraytest.Mem) {
	x.t.Helper()
	x.end()
	x.over, x.mems[name] = map[string]string{name: array}, to
	x.start()
}

// What the log has is for the array that lacks it, whatever the volume is put over; and it is no reason to do without what the log doesn't have any more.
func TestD6_WhatTheLogHasIsForNoOtherArray(t *testing.T) {
	x := newLogged(t)
	first, second := x.mems["vol1"], arraytest.NewMem(cachecore.ArrayInfo{Size: 8 * mib, WriteCache: true})
	x.write("vol1", 0, 'a')
	for range 2 {
		x.move("vol1", "new", second)
		x.expectModes(writeback.Lost, writeback.Back)
		x.said.expect(1, "the volume is offline", "vol1", "what san-vol1 lacks", "is over new", "--accept-data-loss")
		x.destage("vol1")
	}
	x.move("vol1", "", first)
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'a', 0)
	x.destage("vol1")
	if err := x.disks["vol1"].back.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.expectBlock("vol1", 0, 'a', 'a')
	x.move("vol1", "new", second)
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 0, 0)
	x.write("vol1", 0, 'b')
	x.move("vol1", "", first)
	x.expectModes(writeback.Lost, writeback.Back)
	if err := x.disks["vol1"].back.declareLost(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'a', 'a')
	x.move("vol1", "new", second)
	x.expectBlock("vol1", 0, 0, 0)
}

// What is below the base counts for nobody, be it that the log could not forget it.
func TestA2_WhatIsBelowTheBaseIsOwedToNobody(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	shard := x.disks["vol1"].back.shard
	s, _ := x.pool.log.State(shard)
	if !x.pool.log.owes(shard, s.Epoch) || x.pool.log.owes(shard, s.Epoch+1) || x.pool.log.owes(shard+1, 0) {
		t.Errorf("%+v", s)
	}
}

// The parts of an array are not each other.
func TestD6_APlaceIsTheArrayWithItsPart(t *testing.T) {
	for want, from := range map[string]configs.From{"san": {Array: "san"}, "san LUN 3": {Array: "san", LUN: 3}, "nas /luns/a.img": {Array: "nas", Path: "/luns/a.img"}} {
		if got := placeOf(from); got != want {
			t.Errorf("%+v is %q", from, got)
		}
	}
}

// An export's handles are its filer's: its records would be of no file of another one, and the files of the other are not to be written to before it is back.
func TestD6_WhatTheLogHasIsForNoOtherFiler(t *testing.T) {
	x := newStagedLives(t)
	x.begin()
	x.write('a')
	x.end()
	first, file := x.mem, x.file
	x.nas, x.mem = "new", nfstest.New(nfstest.Options{})
	x.file = x.mem.Put("a", make([]byte, 100))
	x.begin()
	if ready, reason := x.share.serves(); ready || !strings.HasSuffix(reason, otherArray("one", "nas", "new").Error()) {
		t.Errorf("%v, %q", ready, reason)
	}
	x.end()
	x.nas, x.mem, x.file = "nas", first, file
	x.begin()
	x.expect('a', 0)
	x.end()
	x.nas, x.mem = "new", nfstest.New(nfstest.Options{})
	x.file = x.mem.Put("a", make([]byte, 100))
	x.begin()
	if err := x.g.DeclareLost(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	x.end()
	x.begin()
	x.expect(0, 0)
	x.write('b')
	x.expect('b', 0)
	naa, err := x.store.NAA(t.Context(), "one")
	if s, known := x.share.pool.log.State(shardOfFiles(naa, "nas")); err != nil || known && s.Trimmed < s.Last && s.Void <= s.Epoch {
		t.Errorf("the log keeps it: %+v, %v", s, err)
	}
	x.end()
	x.nas, x.mem, x.file = "nas", first, file
	x.begin()
	if got := (nfstest.User{T: t, FS: x.mem}).Read(x.file, 0, 50); got.Status != nfs.OK || !bytes.Equal(got.Data, make([]byte, 50)) {
		t.Errorf("%v, %q", got.Status, got.Data)
	}
	if ready, _ := x.share.serves(); ready {
		t.Error("it is served without what is for the other one")
	}
	x.end()
}
