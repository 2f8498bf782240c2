package gateway

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/configs"
	"forebay/gateway/api"
)

// elsewhere is a life in which the volume is served in another pool, after something has happened to that before the array is there. Its block 3 is written.
func (l *lives) elsewhere(slow configs.Tier, before func(g *Gateway) error) {
	l.t.Helper()
	c := volumeConfig(fail)
	c.Pool = slow.Pool
	l.log = newLines(l.t)
	g := New(Options{Config: &configs.Config{Gateway: configs.Gateway{DataDir: l.dir, Tiers: []configs.Tier{l.tier, slow}}, Volumes: []configs.Volume{c}},
		Log: l.log.logger()})
	for _, tier := range g.config.Gateway.Tiers {
		p, err := newPool(tier, false, l.log.logger())
		if err != nil {
			l.t.Fatal(err)
		}
		g.pools[tier.Pool] = p
	}
	if err := errors.Join(g.addFlash(), before(g)); err != nil {
		l.t.Fatal(err)
	}
	l.pool = g.pools[slow.Pool]
	l.disk = newDisk(c, 1, l.pool, newAttachment("san1", "mem", l.san.attach, l.log.logger()), l.id, l.log.logger())
	l.serve()
	l.write(3, 7)
	l.end()
	if err := g.pools[l.tier.Pool].close(context.Background()); err != nil {
		l.t.Fatal(err)
	}
}

// write writes a block.
func (l *lives) write(number int64, content byte) {
	l.t.Helper()
	p := bytes.Repeat([]byte{content}, cachecore.BlockSize)
	if err := l.volume().Write(context.Background(), p, number*cachecore.BlockSize, false); err != nil {
		l.t.Fatal(err)
	}
}

// What a pool's flash has of a volume doesn't count after a life in which the volume was another pool's, whatever that one has.
func TestFlashHasNothingOfAVolumeThatWasInAnotherPool(t *testing.T) {
	nothing := func(*Gateway) error { return nil }
	for name, c := range map[string]struct {
		flash  bool
		before func(*Gateway) error
	}{
		"with flash":         {true, nothing},
		"without":            {false, nothing},
		"with flash removed": {true, func(g *Gateway) error { return g.RemoveFlash(context.Background(), "slow") }},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			l.begin()
			l.cache(3)
			l.end()
			slow := configs.Tier{Pool: "slow", RAM: mib}
			if c.flash {
				slow.Flash = &configs.Media{Path: filepath.Join(l.dir, "slow.img"), Size: 64 * mib}
			}
			l.elsewhere(slow, c.before)
			l.begin()
			defer l.end()
			if got := l.read(3); got != 7 {
				t.Errorf("read %d, and the array has 7", got)
			}
		})
	}
}

// onDevice begins a life whose flash tier is on a device that a test holds.
func (l *lives) onDevice(twin *devicetest.Twin, before func()) {
	l.t.Helper()
	l.log = newLines(l.t)
	var err error
	if l.notes, err = openFlashNotes(l.dir); err != nil {
		l.t.Fatal(err)
	}
	if l.pool, err = newPool(configs.Tier{Pool: "fast", RAM: mib}, false, l.log.logger()); err != nil {
		l.t.Fatal(err)
	}
	if l.pool.flash, err = newFlash(l.tier, twin, nil, l.notes, l.log.logger()); err != nil {
		l.t.Fatal(err)
	}
	before()
	l.disk = newDisk(volumeConfig(fail), 1, l.pool, newAttachment("san1", "mem", l.san.attach, l.log.logger()), l.id, l.log.logger())
	l.serve()
}

// A device that fails before the array is there keeps nothing for a life in which it works again.
func TestFlashHasNothingAfterALifeInWhichItFailed(t *testing.T) {
	l, twin := newLives(t), devicetest.New(64*mib)
	l.onDevice(twin, func() {})
	l.cache(3)
	l.end()
	l.onDevice(twin, func() {
		twin.OnCall(func(devicetest.Call) devicetest.Fault { return devicetest.Fault{Err: errBoom} })
		_ = l.pool.flash.fit(64 * mib) // asks the device
	})
	l.log.expect(1, "the volume goes on without the flash tier")
	if again := reopened(t, l.notes); len(again.mu.Volumes) != 0 {
		t.Errorf("the notes still have %+v", again.mu.Volumes)
	}
	l.write(3, 7)
	twin.OnCall(nil)
	l.end()
	l.onDevice(twin, func() {})
	defer l.end()
	if got := l.read(3); got != 7 {
		t.Errorf("read %d, and the array has 7", got)
	}
}

// An operator who has changed an array can have what was cached dropped before the array is there.
func TestTheCacheIsDroppedBeforeTheFirstAttachment(t *testing.T) {
	for name, attached := range map[string]bool{"attached in this life": true, "attached in the next": false} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			l.begin()
			l.cache(3)
			l.end()
			l.start(volumeConfig(fail))
			l.disk = newDisk(volumeConfig(fail), 1, l.pool, newAttachment("san1", "mem", l.san.attach, l.log.logger()), l.id, l.log.logger())
			g := &Gateway{disks: []*disk{l.disk}}
			if err := g.DropCache(t.Context(), "vol1"); err != nil {
				t.Fatal(err)
			}
			if attached {
				l.serve()
			} else {
				if err := l.pool.close(context.Background()); err != nil {
					t.Fatal(err)
				}
				l.begin()
			}
			defer l.end()
			if l.warm(3) {
				t.Error("it is still there")
			}
		})
	}
	l := newLives(t)
	l.start(volumeConfig(fail))
	l.disk = newDisk(volumeConfig(fail), 1, l.pool, newAttachment("san1", "mem", l.san.attach, l.log.logger()), l.id, l.log.logger())
	l.notes.path = filepath.Join(l.dir, "away", "flash.json")
	l.notes.mu.Volumes = map[string]lastServed{"vol1": {Since: 1}}
	if err := l.disk.dropCache(); err == nil || errors.Is(err, api.ErrRefused) {
		t.Errorf("what could not be noted is answered with %v", err)
	}
	if err := l.pool.close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
