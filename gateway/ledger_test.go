package gateway

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
)

// through has a volume's log emptied, and write-through entered.
func (x *logged) through(name string) {
	x.t.Helper()
	x.destage(name)
	if err := x.disks[name].back.setWrite(x.t.Context(), configs.WriteThrough); err != nil {
		x.t.Fatal(err)
	}
	x.said.wait("the array has all that was acknowledged", name)
}

// expectBlock holds a block of a volume, and of its array, against what they should be.
func (x *logged) expectBlock(name string, block int64, volume, array byte) {
	x.t.Helper()
	for _, c := range []struct {
		of   cachecore.Array
		want byte
	}{{x.disks[name].back, volume}, {x.mems[name], array}} {
		p := make([]byte, 512)
		if err := c.of.ReadAt(x.t.Context(), p, block*cachecore.BlockSize); err != nil || p[0] != c.want {
			x.t.Errorf("block %d of %s reads as %q from %T, want %q: %v", block, name, p[0], c.of, c.want, err)
		}
	}
}

func (x *logged) expectRecord(name, log string, losses uint64) {
	x.t.Helper()
	array := ""
	if log != "" {
		array = cmp.Or(x.over[name], "san-"+name)
	}
	if r, err := x.store.Shard(x.t.Context(), name); err != nil || r.Log != log || r.Array != array || r.Losses != losses {
		x.t.Errorf("the record of %s is %+v, want log %q for %q and %d losses: %v", name, r, log, array, losses, err)
	}
}

func TestA4_AReplacedLogTakesVolumesOfflineThatMayHaveWritesInIt(t *testing.T) {
	x := newLogged(t)
	x.expectRecord("vol1", x.pool.log.named(), 0)
	x.write("vol1", 0, 'a')
	x.write("vol2", 0, 'b')
	x.through("vol2")
	x.expectRecord("vol2", "", 0)
	x.end()
	if err := os.Rename(x.path, x.path+".away"); err != nil {
		t.Fatal(err)
	}
	x.start()
	x.expectModes(writeback.Lost, writeback.Through)
	x.said.expect(1, "the volume is offline", "vol1", "--accept-data-loss")
	x.destage("vol1")
	p := make([]byte, 512)
	if err := x.disks["vol1"].back.ReadAt(t.Context(), p, 0); err == nil {
		t.Error("it is read")
	}
	if err := x.disks["vol1"].back.setWrite(t.Context(), configs.WriteBack); !errors.Is(err, api.ErrRefused) {
		t.Errorf("write-back of a volume that is offline: %v", err)
	}
	x.expectBlock("vol2", 0, 'b', 'b')
	x.restart()
	x.expectModes(writeback.Lost, writeback.Through)
	x.end()
	if err := os.Rename(x.path+".away", x.path); err != nil {
		t.Fatal(err)
	}
	x.start()
	x.expectModes(writeback.Back, writeback.Through)
	x.expectBlock("vol1", 0, 'a', 0)
	x.expectRecord("vol1", x.pool.log.named(), 0)
}

func TestA4_ALogThatIsNotConfiguredAnyMoreIsMissed(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.through("vol2")
	was := x.path
	x.end()
	x.path = ""
	x.start()
	x.expectModes(writeback.Lost, writeback.Through)
	x.end()
	x.path = was
	x.start()
	x.expectModes(writeback.Back, writeback.Through)
	x.expectBlock("vol1", 0, 'a', 0)
}

// What was in a log in RAM is gone with each life, as its volumes say.
func TestB8_ALogInRAMIsNotMissed(t *testing.T) {
	x := newLogged(t)
	x.through("vol1")
	x.through("vol2")
	x.end()
	x.path = ""
	x.start()
	if err := x.disks["vol1"].back.setWrite(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	x.write("vol1", 0, 'a')
	x.expectRecord("vol1", "", 0)
	x.restart()
	x.expectModes(writeback.Back, writeback.Through)
}

func TestA4_APoolHasALogWhereVolumesMayHaveWritesInOne(t *testing.T) {
	g := New(Options{Config: &configs.Config{Volumes: []configs.Volume{{Name: "a", Pool: "one"}, {Name: "b", Pool: "one"}, {Name: "c", Pool: "two"}}}})
	g.store = etcd.NewMemory()
	if err := g.store.ChangeLog(t.Context(), "a", "", "x", ""); err != nil {
		t.Fatal(err)
	}
	var err error
	if g.owed, err = g.owedLogs(t.Context()); err != nil || !g.writesBack("one") || g.writesBack("two") {
		t.Error(g.owed, err)
	}
}

// A control plane that was emptied, or restored from an old backup, would give epochs out twice.
func TestA7_AControlPlaneThatKnowsLessThanTheLogIsNotBelieved(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.end()
	x.store = etcd.NewMemory()
	x.start()
	x.expectModes(writeback.Lost, writeback.Back)
	x.said.expect(1, "the control plane is older than the write log", "vol1")
}

// A loss is declared, counted, and final: what turns up later doesn't count.
func TestA7_WhatWasDeclaredLostDoesNotComeBack(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	if err := x.disks["vol1"].back.declareLost(t.Context()); !errors.Is(err, api.ErrRefused) {
		t.Errorf("of a volume that serves: %v", err)
	}
	x.end()
	if err := os.Rename(x.path, x.path+".away"); err != nil {
		t.Fatal(err)
	}
	x.start()
	b := x.disks["vol1"].back
	if err := b.declareLost(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.said.expect(1, `"level":"error"`, "declared lost", "vol1")
	x.expectModes(writeback.Lost, writeback.Lost) // it takes a start
	var told api.Volume
	if b.states(&told); told.Writeback.Losses != 1 || told.Reason != declaredLost {
		t.Errorf("the status tells %+v", told)
	}
	if err := b.declareLost(t.Context()); !errors.Is(err, api.ErrRefused) {
		t.Errorf("twice: %v", err)
	}
	x.expectRecord("vol1", "", 1)
	x.end()
	if err := os.Rename(x.path+".away", x.path); err != nil {
		t.Fatal(err)
	}
	x.start()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 0, 0)
	x.write("vol1", 1, 'n')
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 0, 0)
	x.expectBlock("vol1", 1, 'n', 0)
	x.expectRecord("vol1", x.pool.log.named(), 1)
}

func TestF2_ADamagedVolumeIsServedOnceItsLossIsDeclared(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.write("vol1", 1, 'b')
	x.end()
	x.rot('b')
	x.start()
	x.expectModes(writeback.Lost, writeback.Back)
	if err := x.disks["vol1"].back.declareLost(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	if s := x.pool.log.status(); len(s.Damage) > 0 {
		t.Errorf("the log keeps it: %+v", s)
	}
	x.expectBlock("vol1", 1, 0, 0)
	x.write("vol1", 1, 'c')
	x.restart()
	x.expectBlock("vol1", 1, 'c', 0)
}

// asked is a control plane that a test looks at while it is asked.
type asked struct {
	etcd.Store
	change, raise func() error
}

func (a *asked) ChangeLog(ctx context.Context, volume, from, to, array string) error {
	if a.change != nil {
		if err := a.change(); err != nil {
			return err
		}
	}
	return a.Store.ChangeLog(ctx, volume, from, to, array)
}

func (a *asked) RaiseBase(ctx context.Context, volume, log, array string) (cachecore.Epoch, error) {
	if a.raise != nil {
		if err := a.raise(); err != nil {
			return 0, err
		}
	}
	return a.Store.RaiseBase(ctx, volume, log, array)
}

func TestA1_TheRecordNamesTheLogBeforeItAcknowledges(t *testing.T) {
	x := newLogged(t)
	x.through("vol1")
	b, store := x.disks["vol1"].back, &asked{Store: x.store}
	b.store = store
	store.change = func() error { return errBoom }
	if err := b.setWrite(t.Context(), configs.WriteBack); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	x.expectModes(writeback.Through, writeback.Back)
	asked := false
	store.change = func() error {
		asked = true
		x.expectModes(writeback.Through, writeback.Back)
		return nil
	}
	if err := b.setWrite(t.Context(), configs.WriteBack); err != nil || !asked {
		t.Error(asked, err)
	}
	x.expectModes(writeback.Back, writeback.Back)
	x.expectRecord("vol1", x.pool.log.named(), 0)
}

// Write-back is asked for again while write-through is entered: the log goes on, and the record says so.
func TestA1_TheRecordKeepsALogThatGoesOn(t *testing.T) {
	x := newLogged(t)
	b, store, again := x.disks["vol1"].back, &asked{Store: x.store}, make(chan error, 1)
	b.store = store
	store.raise = func() error {
		store.raise = nil
		if b.turn.TryLock() {
			b.turn.Unlock()
			t.Error("the mode can change between what the base is raised for and the record")
		}
		go func() { again <- b.setWrite(context.Background(), configs.WriteBack) }()
		return nil
	}
	x.through("vol1")
	if err := <-again; err != nil {
		t.Fatal(err)
	}
	x.expectModes(writeback.Back, writeback.Back)
	x.expectRecord("vol1", x.pool.log.named(), 0)
}

// The same, where the base could not be raised at first.
func TestA1_TheRecordKeepsALogThatWasAskedForBeforeTheBaseIsRaised(t *testing.T) {
	x := newLogged(t)
	b, store, failed := x.disks["vol1"].back, &asked{Store: x.store}, make(chan struct{}, 100)
	b.store = store
	var goOn atomic.Bool
	store.raise = func() error {
		if goOn.Load() {
			return nil
		}
		failed <- struct{}{}
		return errBoom
	}
	x.destage("vol1")
	if err := b.setWrite(t.Context(), configs.WriteThrough); err != nil {
		t.Fatal(err)
	}
	<-failed
	if err := b.setWrite(t.Context(), configs.WriteBack); err != nil {
		t.Fatal(err)
	}
	goOn.Store(true)
	x.said.wait("the array has all that was acknowledged", "vol1")
	x.expectModes(writeback.Back, writeback.Back)
	x.expectRecord("vol1", x.pool.log.named(), 0)
}

func TestH3_TheWriteVerifierChangesWithALossOnly(t *testing.T) {
	one, err1 := writeVerifier([16]byte{1}, 0, true)
	same, err2 := writeVerifier([16]byte{1}, 0, true)
	lost, err3 := writeVerifier([16]byte{1}, 1, true)
	if one != same || one == lost || errors.Join(err1, err2, err3) != nil {
		t.Errorf("%x, %x, %x", one, same, lost)
	}
	other, err1 := writeVerifier([16]byte{2}, 0, true)
	ram, err2 := writeVerifier([16]byte{1}, 0, false)
	again, err3 := writeVerifier([16]byte{1}, 0, false) // in the next life, which has nothing of this one
	if one == other || ram == one || ram == again || errors.Join(err1, err2, err3) != nil {
		t.Errorf("%x, %x, %x, %x", one, other, ram, again)
	}
}
