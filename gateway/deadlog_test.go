package gateway

import (
	"errors"
	"testing"

	flash "forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/api"
)

// A log that has failed is named while the array lacks something that it has, and not any more once it lacks nothing: whatever is asked for, nothing follows
// in this life.
func TestA1_TheRecordNamesALogThatHasFailedUntilTheArrayHasEverything(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	b := x.disks["vol1"].back
	x.pool.log.damaged(writelog.Damage{Shard: b.shard, Reason: "worn out"})
	refused := func(effective writeback.Mode, log string) {
		t.Helper()
		if err := b.setWrite(t.Context(), configs.WriteBack); !errors.Is(err, api.ErrRefused) {
			t.Errorf("write-back of a log that has failed: %v", err)
		}
		x.expectModes(effective, writeback.Back)
		x.expectRecord("vol1", log, 0)
	}
	refused(writeback.Dead, x.pool.log.named())
	x.destage("vol1")
	x.said.wait("the array has all that was acknowledged", "vol1")
	x.expectRecord("vol1", "", 0)
	refused(writeback.Through, "")
	x.expectBlock("vol1", 0, 'a', 'a')
}

func TestTheStatusTellsThatALogHasFailed(t *testing.T) {
	medium := devicetest.New(2 * mib)
	l, err := openLog(configs.Tier{Pool: "fast"}, medium, newLines(t).logger())
	if err != nil {
		t.Fatal(err)
	}
	if s := l.status(); s.Error != "" {
		t.Errorf("at first: %+v", s)
	}
	medium.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Write || c.Kind == devicetest.WriteDurable {
			return devicetest.Fault{Err: errBoom}
		}
		return devicetest.Fault{}
	})
	answer := make(chan error, 1)
	r := writelog.Record{Shard: 1, Epoch: 1, Seq: 1, Kind: writelog.Write, Len: flash.Unit}
	if err := l.Append(r, [][]byte{flash.Buffer(flash.Unit)}, func(_ writelog.Position, err error) { answer <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-answer; err == nil {
		t.Error("it is acknowledged")
	}
	says(t, errors.New(l.status().Error), errBoom.Error())
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// An export that others serve too has no log before its filer. A log that can't tell whose writes it has lost may have lost those that the filer lacks.
func TestF2_AVolumeIsNotServedWithoutALogThatMayHaveLostItsWrites(t *testing.T) {
	x := newForgetful(t)
	for i, name := range []string{"vol1", "vol2"} {
		err := x.gateway.unlogged(t.Context(), x.pool.log, x.disks[name].back.shard, x.gateway.config.Volumes[i])
		says(t, err, name, "lacks", "serve no other volume")
		x.expectRecord(name, x.pool.log.named(), 0)
	}
}

// Damage concerns a volume from its base on, unless nobody knows of which epoch it is.
func TestF2_DamageOfAnUnknownEpochConcernsAVolumeWhateverItsBase(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	known, unknown := x.disks["vol1"].back.shard, x.disks["vol2"].back.shard
	for name, c := range map[string]struct {
		d    writelog.Damage
		of   writelog.Shard
		want bool
	}{
		"below the base":          {writelog.Damage{Shard: known, Epoch: 4}, known, false},
		"of the base":             {writelog.Damage{Shard: known, Epoch: 5}, known, true},
		"of an unknown epoch":     {writelog.Damage{Shard: known}, known, true},
		"of another volume":       {writelog.Damage{Shard: known}, unknown, false},
		"of any, and it is known": {writelog.Damage{Any: true}, known, false},
		"of any, and it is not":   {writelog.Damage{Any: true}, unknown, true},
	} {
		if got := x.pool.log.concerns(c.d, c.of, 5); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A control plane that misses another log may be another cluster's: the log forgets nothing for it.
func TestA4_ALogKeepsWhatItHasOfAVolumeThatIsOffline(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.end()
	own := x.store
	x.store = etcd.NewMemory()
	for range 50 {
		if _, err := x.store.NewEpoch(t.Context(), "vol1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.store.RaiseBase(t.Context(), "vol1", "another log", "san-vol1"); err != nil {
		t.Fatal(err)
	}
	x.start()
	x.expectModes(writeback.Lost, writeback.Back)
	x.end()
	x.store = own
	x.start()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'a', 0)
}
