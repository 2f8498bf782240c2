package gateway

import (
	"bytes"
	"errors"
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

// What another volume has acknowledged is missing where it lay, be that volume configured no more: under a new name it would be served without, and written over later.
func TestD6_NoOtherVolumeIsServedFromWhatLacksWhatTheLogHas(t *testing.T) {
	x := newLogged(t)
	naa, err := x.store.NAA(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	c := volumeConfig(configs.OnArrayLoss{})
	c.Name, c.From, c.Policy.Write = "old", configs.From{Array: "san", LUN: 1}, configs.WriteBack
	b, _, err := x.gateway.newBack(t.Context(), c, x.pool, x.mems["vol1"], naa)
	if err = errors.Join(err, b.nameLog(t.Context())); err != nil {
		t.Fatal(err)
	}
	serve := func(name string, lun int) error {
		c := c
		c.Name, c.From.LUN = name, lun
		return errors.Join(x.gateway.readRecords(t.Context()), x.gateway.unowed(t.Context(), c))
	}
	if err := serve("new", 1); err != nil {
		t.Errorf("with nothing in the log: %v", err)
	}
	if err := b.WriteAt(t.Context(), make([]byte, cachecore.BlockSize), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(serve("old", 1), serve("new", 2)); err != nil {
		t.Errorf("by itself, and of another LUN: %v", err)
	}
	if err := serve("new", 1); err == nil || !strings.Contains(err.Error(), "volume old that san LUN 1 lacks") {
		t.Errorf("%v", err)
	}
	if err := x.store.ChangeLog(t.Context(), "old", x.pool.log.named(), "lost", "san LUN 1"); err != nil {
		t.Fatal(err)
	}
	if err := serve("new", 1); err == nil || !strings.Contains(err.Error(), "log lost, which is not here") {
		t.Errorf("of another log: %v", err)
	}
}

// An export is all files of its filer, and a LUN on one of them another shard, by whatever name.
func TestD6_NoFileIsServedThatLacksWhatTheLogHasOfAnExport(t *testing.T) {
	x := newStagedLives(t)
	x.begin()
	x.write('a')
	serve := func(name, path string) error {
		c := configs.Volume{Name: name, From: configs.From{Array: "nas", Path: path}}
		if path == "" {
			c.NFS = &configs.NFSExport{}
		}
		return errors.Join(x.g.readRecords(t.Context()), x.g.unowed(t.Context(), c))
	}
	if err := serve("one", ""); err != nil {
		t.Error(err)
	}
	for name, path := range map[string]string{"one": "/a", "two": "/a", "three": ""} {
		if err := serve(name, path); err == nil || !strings.Contains(err.Error(), "volume one that nas lacks") {
			t.Errorf("%s %q: %v", name, path, err)
		}
	}
	x.g.config.Arrays = []configs.Array{{Name: "nas"}}
	two := configs.Volume{Name: "two", Pool: "fast", From: configs.From{Array: "nas", Path: "/a"}}
	if err := x.g.addVolume(t.Context(), arrays{}, two, 1, nil, nil); err == nil || !strings.Contains(err.Error(), "volume one that nas lacks") {
		t.Errorf("as a start has it: %v", err)
	}
	x.run()
	if err := x.share.staged.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(serve("two", "/a"), serve("three", "")); err != nil {
		t.Error(err)
	}
	x.end()
	if !overlap("nas /a", configs.Volume{From: configs.From{Array: "nas"}, NFS: &configs.NFSExport{}}) || overlap("nas /a", configs.Volume{From: configs.From{Array: "nas", Path: "/b"}}) {
		t.Error("an export is its files, and they are not each other")
	}
}
