package gateway

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
)

// Nobody's data is made a log of.
func TestALogIsNotMadeOverOtherData(t *testing.T) {
	tier := configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: filepath.Join(t.TempDir(), "log.img"), Size: 2 * mib}}
	other := bytes.Repeat([]byte("others"), 2*mib/6+1)[:2*mib]
	copy(other, make([]byte, mib-6)) // so that it begins late
	if err := os.WriteFile(tier.Log.Path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newPool(tier, true, newLines(t).logger())
	says(t, err, "pool fast", "something else than a write log")
	if now, err := os.ReadFile(tier.Log.Path); err != nil || !bytes.Equal(now, other) {
		t.Error("it is not what it was")
	}
}

// A log that finds its file system full is dead: what it may need is allocated when it is made.
func TestALogOnAFileIsAllocated(t *testing.T) {
	x := newLogged(t)
	var st unix.Stat_t
	if err := unix.Stat(x.path, &st); err != nil || st.Blocks*512 < 2*mib {
		t.Errorf("%d bytes are allocated (%v)", st.Blocks*512, err)
	}
}

// A log in RAM is a quarter of the tier's RAM, or at least of use.
func TestALogInRAMGoesWithTheTier(t *testing.T) {
	for ram, want := range map[configs.Size]int64{mib: minRAMLog, 4*minRAMLog + 64*mib: minRAMLog + 16*mib} {
		l, err := openLog(configs.Tier{Pool: "fast", RAM: ram}, nil, newLines(t).logger())
		if err != nil {
			t.Fatal(err)
		}
		if got := l.medium.Size(); got != want || l.durable {
			t.Errorf("with %v of RAM it has %d bytes", ram, got)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}

// Records that count are carried forward as the log comes round; the volume finds them where they are by then, and after a restart.
func TestB9_WhatTheLogMovesIsRead(t *testing.T) {
	x := newLogged(t)
	for block := range int64(8) {
		x.write("vol1", block, 'a'+byte(block))
	}
	x.destage("vol2")
	for block := range int64(1500) { // three times round
		x.write("vol2", block%64, 'x')
	}
	expect := func() {
		t.Helper()
		for block := range int64(8) {
			x.expectBlock("vol1", block, 'a'+byte(block), 0)
		}
	}
	expect()
	x.restart()
	expect()
	x.expectModes(writeback.Back, writeback.Back)
}

// What is acknowledged after write-through has been left again counts: the base is its epoch.
func TestA2_RecordsOfTheBasesEpochCount(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.through("vol1")
	if err := x.disks["vol1"].back.setWrite(t.Context(), configs.WriteBack); err != nil {
		t.Fatal(err)
	}
	barred(t, x)
	x.write("vol1", 0, 'b')
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'b', 'a')
}

// barred keeps the destager of vol1 from carrying anything more.
func barred(t *testing.T, x *logged) {
	t.Helper()
	if err := x.gateway.Barrier(t.Context(), "vol1", time.Hour); err != nil {
		t.Fatal(err)
	}
}

// The next life goes on where the log ends: the newest of several writes is the one that counts, whenever it was acknowledged.
func TestA3_ALaterLifesWritesAreTheLater(t *testing.T) {
	x := newLogged(t)
	x.write("vol2", 0, 'x') // which keeps in the log what comes behind it
	for _, content := range []byte("abc") {
		x.write("vol1", 0, content)
		x.write("vol1", 0, content+1)
		x.restart()
		x.expectBlock("vol1", 0, content+1, 0)
		if s, _ := x.pool.log.State(x.disks["vol1"].back.shard); int(s.Last) != 2*int(content-'a'+1) {
			t.Errorf("the log ends with %d", s.Last)
		}
	}
	x.destage("vol1")
	if err := x.gateway.Drain(t.Context(), "vol1"); err != nil {
		t.Fatal(err)
	}
	x.expectBlock("vol1", 0, 'd', 'd')
	x.restart() // with nothing left to be recovered
	x.write("vol1", 0, 'e')
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	x.expectBlock("vol1", 0, 'e', 'd')
}

// What the log has of a volume that is not configured is told, and kept until it is again.
func TestWritesOfAVolumeThatIsNotConfiguredAreKept(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.end()
	x.names = []string{"vol2"}
	x.start()
	x.said.expect(1, `"level":"error"`, "not configured here", `"bytes":4096`)
	x.destage("vol2")
	for block := range int64(600) { // more than once round
		x.write("vol2", block%64, 'x')
	}
	x.end()
	x.names = []string{"vol1", "vol2"}
	x.start()
	x.said.expect(0, "not configured here")
	x.expectBlock("vol1", 0, 'a', 0)
}

// A pause is of this life: it does not change the policy.
func TestAPauseEndsWithTheGateway(t *testing.T) {
	x := newLogged(t)
	if err := x.gateway.PauseWriteback(t.Context(), "vol1", time.Hour); err != nil {
		t.Fatal(err)
	}
	if left := x.disks["vol1"].back.status().PausedSeconds; left < 3500 {
		t.Errorf("%v s are left", left)
	}
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	if left := x.disks["vol1"].back.status().PausedSeconds; left != 0 {
		t.Errorf("%v s are left", left)
	}
}

func TestAPolicyThatIsNoneIsRefused(t *testing.T) {
	x := newLogged(t)
	err := x.gateway.SetWrite(t.Context(), "vol1", "sideways")
	if says(t, err, "sideways"); !errors.Is(err, api.ErrRefused) {
		t.Error(err)
	}
	if word, err := x.store.Policy(t.Context(), "vol1"); word != "" || err != nil {
		t.Errorf("it is kept all the same: %q, %v", word, err)
	}
	x.expectModes(writeback.Back, writeback.Back)
}

// The status tells what a log has that the array lacks.
func TestStatusTellsWhatIsDirty(t *testing.T) {
	x := newLogged(t)
	var told api.Volume
	x.disks["vol1"].back.states(&told)
	if w := told.Writeback; w.DirtyBytes != 0 || w.OldestSeconds != 0 || !w.SurvivesPowerLoss || told.Requested != "write-back" || told.Effective != "write-back" {
		t.Errorf("%+v, %+v", told, w)
	}
	x.write("vol1", 0, 'a')
	x.write("vol1", 1, 'b')
	x.disks["vol1"].back.states(&told)
	if w := told.Writeback; w.DirtyBytes < 2*cachecore.BlockSize || w.DirtyBytes >= 3*cachecore.BlockSize || w.OldestSeconds <= 0 {
		t.Errorf("%+v", w)
	}
	if s := x.pool.log.status(); s.UsedBytes < 2*cachecore.BlockSize || s.UsedBytes > s.Bytes || s.Bytes > 2*mib || !s.SurvivesPowerLoss {
		t.Errorf("%+v", s)
	}
	x.end()
	x.path = ""
	x.start()
	x.disks["vol2"].back.states(&told)
	if told.Writeback.SurvivesPowerLoss || x.pool.log.status().SurvivesPowerLoss {
		t.Error("a log in RAM survives a power cut")
	}
}
