package gateway

import (
	"bytes"
	"errors"
	"os"
	"testing"

	flash "forebay/cachecore/device"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
)

// A control plane that was emptied knows less than the log in one of two ways: an epoch may be given out twice, or what was declared void may count again. Once
// its loss has been declared, a volume is served: the epochs that follow are above all that the log has.
func TestA7_AnEmptiedControlPlaneIsRaisedAboveTheLogByADeclaredLoss(t *testing.T) {
	x := newLogged(t)
	for range 3 {
		x.write("vol1", 0, 'a')
		x.restart()
	}
	emptied := func(starts int) {
		t.Helper()
		x.end()
		x.store = etcd.NewMemory()
		for range starts {
			if _, err := x.store.NewEpoch(t.Context(), "vol1"); err != nil {
				t.Fatal(err)
			}
		}
		x.start()
		x.said.expect(1, "the control plane is older than the write log", "vol1")
		x.expectModes(writeback.Lost, writeback.Back)
		if err := x.disks["vol1"].back.declareLost(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.restart()
		x.expectModes(writeback.Back, writeback.Back)
		x.expectBlock("vol1", 0, 0, 0)
		if got := x.disks["vol1"].back.status().Losses; got != 1 {
			t.Errorf("%d losses are told", got)
		}
	}
	emptied(0)
	emptied(0)  // of what it has been told to forget
	emptied(50) // its epochs are above the log's by now, its base is not
	x.write("vol1", 0, 'b')
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'b', 0)
}

// rotDescriptor spoils what says whose a block of that content is.
func (x *logged) rotDescriptor(content byte) {
	x.t.Helper()
	image, err := os.ReadFile(x.path)
	if err != nil {
		x.t.Fatal(err)
	}
	at := bytes.Index(image, bytes.Repeat([]byte{content}, 128)) / flash.Unit * flash.Unit // it begins in the same block
	f, err := os.OpenFile(x.path, os.O_WRONLY, 0)
	if at < 0 || err != nil {
		x.t.Fatal("not in the log, or: ", err)
	}
	_, err = f.WriteAt(bytes.Repeat([]byte{0xa5}, flash.Unit), int64(at))
	if err = errors.Join(err, f.Close()); err != nil {
		x.t.Fatal(err)
	}
}

// newForgetful is the second life of one whose log can't tell whose writes it has lost.
func newForgetful(t *testing.T) *logged {
	t.Helper()
	x := newLogged(t)
	for _, content := range []byte("abcdef") {
		x.write("vol1", int64(content-'a'), content)
	}
	x.end()
	for _, content := range []byte("bcd") {
		x.rotDescriptor(content)
	}
	x.start()
	return x
}

// A log that can't tell whose writes it has lost may have lost those of a volume that it knows nothing else of: that is offline, and its loss is not declared
// while the log would say the same at the next start.
func TestF2_ALogThatCannotTellWhoseWritesItLostTakesVolumesOfflineThatItDoesNotKnow(t *testing.T) {
	x := newForgetful(t)
	x.expectModes(writeback.Lost, writeback.Lost)
	err := x.disks["vol2"].back.declareLost(t.Context())
	if says(t, err, "can't tell", "another one first"); !errors.Is(err, api.ErrRefused) {
		t.Error(err)
	}
	x.expectRecord("vol2", x.pool.log.named(), 0)
	if err := x.disks["vol1"].back.declareLost(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.restart()
	x.expectModes(writeback.Back, writeback.Lost)
}

// A volume that the log knows is not taken offline by what others may have lost.
func TestF2_ALogKnowsWhichOfItsVolumesAreConcerned(t *testing.T) {
	x := newLogged(t)
	x.write("vol2", 0, 'x')
	x.through("vol2")
	if err := x.disks["vol2"].back.setWrite(t.Context(), configs.WriteBack); err != nil {
		t.Fatal(err)
	}
	for _, content := range []byte("abc") {
		x.write("vol1", int64(content-'a'), content)
	}
	x.end()
	x.rot('b')
	x.start()
	x.expectModes(writeback.Lost, writeback.Back)
}

// A tier's log is there whatever the policies are: they are changed on the fly.
func TestATiersLogIsThereWhateverThePolicies(t *testing.T) {
	x := newLogged(t)
	x.end()
	p, err := newPool(configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: x.path}}, false, newLines(t).logger())
	if err != nil || p.log == nil {
		t.Fatal(p, err)
	}
	if err := p.close(t.Context()); err != nil {
		t.Error(err)
	}
}

// What a pool is to outlive is what its own volumes are.
func TestB8_WhatAPoolPromisesIsWhatItsVolumesDo(t *testing.T) {
	for name, c := range map[string]struct {
		pool, write, survives string
		want                  bool
	}{
		"a power cut":            {"fast", configs.WriteBack, configs.SurvivesPowerLoss, true},
		"nothing":                {"fast", configs.WriteBack, configs.SurvivesNothing, false},
		"the array has it":       {"fast", configs.WriteThrough, "", false},
		"it is of another pool":  {"slow", configs.WriteBack, configs.SurvivesPowerLoss, false},
		"nothing is said, which": {"fast", configs.WriteBack, "", true},
	} {
		v := configs.Volume{Name: "a", Pool: c.pool, Policy: configs.Policy{Write: c.write, Survives: c.survives}}
		if got := New(Options{Config: &configs.Config{Volumes: []configs.Volume{v}}}).promises("fast"); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
