package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/scsi"
)

// writesBack runs a test with a volume that is acknowledged by a log in RAM, within a bubble.
func writesBack(t *testing.T, hold configs.OnArrayLoss, test func(*testing.T, *shelf)) {
	synctest.Test(t, func(t *testing.T) {
		x := written(t, newSAN(t, cachecore.ArrayInfo{}), etcd.NewMemory(), configs.Tier{Pool: "fast", RAM: mib}, hold, configs.WriteBack)
		test(t, x)
		x.end()
	})
}

// written begins a life of a volume that has a write log. The test ends it.
func written(t *testing.T, s *san, store etcd.Store, tier configs.Tier, hold configs.OnArrayLoss, write string) *shelf {
	t.Helper()
	log, c, dir := newLines(t), volumeConfig(hold), ""
	c.Policy.Write = write
	if tier.Log != nil {
		dir = filepath.Dir(tier.Log.Path)
	}
	config := &configs.Config{Gateway: configs.Gateway{DataDir: dir, Tiers: []configs.Tier{tier}}, Volumes: []configs.Volume{c}}
	g := New(Options{Config: config, Log: log.logger()})
	g.store = store
	p, err := newPool(tier, true, g.log)
	if err != nil {
		t.Fatal(err)
	}
	g.pools["fast"] = p
	if tier.Flash != nil {
		if err := g.addFlash(); err != nil {
			t.Fatal(err)
		}
	}
	v, naa := newDisk(c, 1, p, newAttachment("san1", "mem", s.attach, g.log), scsi.Identity{Name: "vol1"}, g.log), [16]byte{1}
	back, base, err := g.newBack(t.Context(), c, p, v.attachment, naa)
	if err != nil {
		t.Fatal(err)
	}
	v.back = back
	g.disks = []*disk{v}
	if err := errors.Join(g.replay(map[writelog.Shard]cachecore.Epoch{shardOf(naa): base}), g.nameLogs(t.Context())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		v.run(ctx)
		close(ended)
	}()
	synctest.Wait()
	x := &shelf{disk: v, san: s, t: t, log: log, a: newHost(t, v, "iqn.2026-11.example:a,i,0x1"), gateway: g}
	x.a.ready()
	end := func(close func(context.Context) error) {
		t.Helper()
		if err := close(t.Context()); err != nil {
			t.Error(err)
		}
		cancel()
		<-ended
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	x.end = func() { end(v.close) }
	x.kill = func() { end(v.storage.volume.Load().Close) }
	return x
}

// megabyte writes the MiB with that number.
func (h *host) megabyte(number int, content byte) string {
	cdb := block(0x8a, number*256)
	binary.BigEndian.PutUint32(cdb[10:], mib/512)
	return h.execute(&scsi.Command{CDB: cdb, DataOut: bytes.Repeat([]byte{content}, mib)})
}

// fill writes until that is refused, and says how, and how long it took to be.
func (x *shelf) fill() (how string, took time.Duration) {
	for i := 0; ; i++ {
		began := time.Now()
		if how = x.a.megabyte(i%6, byte(i)); how != good {
			return how, time.Since(began)
		}
		if i > 100 {
			x.t.Fatal("it is never full")
		}
	}
}

// An array that is full, or has a medium error, stops the interval and keeps the log, which is told; when the log is full too, writes end as on a full
// disk, and reads go on. When it has been mended everything goes on by itself.
func TestWhatAnArrayRefusesIsKeptAndAFullLogIsAFullDisk(t *testing.T) {
	for name, trouble := range map[string]error{"full": cachecore.ErrNoSpace, "medium error": errBoom} {
		t.Run(name, func(t *testing.T) {
			writesBack(t, hold25s, func(t *testing.T, x *shelf) {
				x.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
					if op.Kind == arraytest.Write {
						return trouble
					}
					return nil
				})
				wants(t, "the first write", good, x.a.write(2000, 42))
				x.log.wait("can't be carried to the array", trouble.Error())
				if s := x.back.Status(); s.Reason == "" {
					t.Errorf("the status tells no trouble: %+v", s)
				}
				how, took := x.fill()
				if wants(t, "a write with the log full", "7/27/07", how); took > 3*time.Second {
					t.Errorf("it is answered after %v", took)
				}
				wants(t, "a read of what was acknowledged", "all 42", x.a.read(2000))
				x.mem.Intercept(nil)
				time.Sleep(10 * time.Second)
				wants(t, "a write, mended", good, x.a.write(2001, 43))
				if err := x.back.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				p := make([]byte, cachecore.BlockSize)
				if err := x.mem.ReadAt(t.Context(), p, 2000*cachecore.BlockSize); err != nil || p[0] != 42 {
					t.Errorf("the array has %d, %v", p[0], err)
				}
			})
		})
	}
}

// With the array away and the log full, writes are held for as long as the policy says; then they find the volume not ready.
func TestWithTheArrayAwayAndTheLogFullWritesAreHeldAndThenNotReady(t *testing.T) {
	writesBack(t, hold25s, func(t *testing.T, x *shelf) {
		wants(t, "a write", good, x.a.write(2000, 42))
		x.pull()
		how, took := x.fill()
		if wants(t, "a write with the log full", notReady, how); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("it is answered after %v", took)
		}
		wants(t, "a read of what was acknowledged", "all 42", x.a.read(2000))
		x.plug()
		time.Sleep(5 * time.Second)
		wants(t, "a write, back", good, x.a.write(2001, 43))
	})
}
