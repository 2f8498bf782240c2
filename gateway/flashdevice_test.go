package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	drive "forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
	"forebay/gateway/api"
)

// Nobody's data is formatted over.
func TestFlashIsNotMadeOverOtherData(t *testing.T) {
	l := newLives(t)
	other := bytes.Repeat([]byte("others"), 64*mib/6+1)[:64*mib]
	if err := os.WriteFile(l.tier.Flash.Path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	l.begin()
	defer l.end()
	if s := l.pool.flash.status(); s.State != flashFailed || s.Reason == "" {
		t.Errorf("the status says %+v", s)
	}
	l.read(0)
	if now, err := os.ReadFile(l.tier.Flash.Path); err != nil || !bytes.Equal(now, other) {
		t.Error("it is not what it was")
	}
}

// What hangs is a cache: it keeps nobody from starting.
func TestAFlashDeviceThatHangsAtTheStartIsDoneWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLives(t)
		goOn, was := make(chan struct{}), openDrive
		openDrive = func(o drive.Options) (*drive.File, error) {
			<-goOn
			return was(o)
		}
		defer func() { openDrive = was }()
		l.start(volumeConfig(fail))
		if s := l.pool.flash.status(); s.State != flashFailed || !strings.Contains(s.Reason, "no answer") {
			t.Errorf("the status says %+v", s)
		}
		close(goOn)
		synctest.Wait()
		if d, err := was(drive.Options{Path: l.tier.Flash.Path, Size: 64 * mib, Sparse: true}); err != nil { // nobody else has it
			t.Error(err)
		} else if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := l.pool.close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}

// A device that fails is condemned by the first write, and made anew at the next start.
func TestAFailedFlashTierIsMadeAnew(t *testing.T) {
	notes, err := openFlashNotes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	twin := devicetest.New(8 * mib)
	log := newLines(t)
	f := &poolFlash{pool: "fast", notes: notes, log: log.logger(), closed: make(chan struct{})}
	if err := f.use(twin); err != nil {
		t.Fatal(err)
	}
	first, _ := notes.store("fast")
	o, err := f.current().Attach(context.Background(), flash.Key{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	watched := make(chan struct{})
	go func() { f.watch(t.Context()); close(watched) }()
	twin.OnCall(func(devicetest.Call) devicetest.Fault { return devicetest.Fault{Err: errBoom} })
	_ = f.fit(8 * mib) // asks the device
	<-watched
	log.expect(1, "the flash tier has failed", "boom")
	if s := f.status(); s.State != flashFailed {
		t.Errorf("the status says %+v", s)
	}
	if err := o.Invalidate(context.Background(), 0, 1); err != nil {
		t.Fatal(err)
	}
	if _, known := notes.store("fast"); known {
		t.Error("it is to be opened again")
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	twin.OnCall(nil)
	f = &poolFlash{pool: "fast", notes: notes, log: log.logger(), closed: make(chan struct{})}
	if err := f.use(twin); err != nil {
		t.Fatal(err)
	}
	if again, known := notes.store("fast"); !known || again == first {
		t.Error("it was not made anew")
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
}

// A flash tier is resized and taken out while its volumes go on.
func TestAFlashTierIsResizedAndRemovedOnTheFly(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	g := &Gateway{pools: map[string]*pool{"fast": l.pool, "slow": {}}, disks: []*disk{l.disk}}
	before := g.flashStatus("fast").Bytes
	if err := g.ResizeFlash(context.Background(), "fast", 96*mib+1); err != nil { // a file becomes longer
		t.Fatal(err)
	}
	if now := g.flashStatus("fast").Bytes; now < before+24*mib || !l.warm(3) {
		t.Errorf("%d bytes, then %d", before, now)
	}
	for _, c := range []struct {
		pool  string
		bytes int64
		want  error
	}{{"fast", 32 * mib, nil}, {"fast", 4096, api.ErrRefused}, {"slow", mib, api.ErrRefused}, {"none", mib, api.ErrNotFound}} {
		if err := g.ResizeFlash(context.Background(), c.pool, c.bytes); !errors.Is(err, c.want) {
			t.Errorf("%s to %d: %v", c.pool, c.bytes, err)
		}
	}
	if now := g.flashStatus("fast").Bytes; now >= before || !l.warm(3) {
		t.Errorf("%d bytes, then %d", before, now)
	}
	if err := g.RemoveFlash(context.Background(), "fast"); err != nil {
		t.Fatal(err)
	}
	if s := g.flashStatus("fast"); s.State != flashRemoved {
		t.Errorf("the status says %+v", s)
	}
	if l.warm(3) {
		t.Error("served after it was removed")
	}
	if err := l.volume().Write(context.Background(), make([]byte, 512), 3*cachecore.BlockSize, false); err != nil {
		t.Error(err)
	}
	if err := g.RemoveFlash(context.Background(), "fast"); !errors.Is(err, api.ErrRefused) {
		t.Error(err)
	}
	l.end()
	l.begin() // the configuration still has it
	defer l.end()
	if s := l.pool.flash.status(); s.State != flashOK {
		t.Errorf("the status says %+v", s)
	}
	if l.warm(3) {
		t.Error("found after it was removed")
	}
}
