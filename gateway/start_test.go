package gateway

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	drive "forebay/cachecore/device"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
)

// patience is a control plane that notes how much time it is given.
type patience struct {
	etcd.Store
	t     *testing.T
	asked int
}

func (p *patience) Shard(ctx context.Context, volume string) (etcd.Shard, error) {
	p.given(ctx)
	return p.Store.Shard(ctx, volume)
}

func (p *patience) NewEpoch(ctx context.Context, volume string) (etcd.Shard, error) {
	p.given(ctx)
	return p.Store.NewEpoch(ctx, volume)
}

func (p *patience) given(ctx context.Context) {
	p.asked++
	if deadline, limited := ctx.Deadline(); !limited || time.Until(deadline) != startTimeout {
		p.t.Errorf("the control plane has %v, and not %v", time.Until(deadline), startTimeout)
	}
}

// slowly is a log that a gateway's start is held up by when it says something.
type slowly string

func (s slowly) Write(p []byte) (int, error) {
	if strings.Contains(string(p), string(s)) {
		time.Sleep(2 * startTimeout)
	}
	return len(p), nil
}

// A log that takes minutes to be read, or memory to be locked, is not taken for a control plane that doesn't answer: no start would ever succeed.
func TestTiersThatTakeLongToOpenTakeNoTimeFromTheControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := parse(t, dir, strings.ReplaceAll(text(dir), "ram: 4MiB", "ram: 4MiB, log: {path: "+filepath.Join(dir, "log.img")+", size: 64MiB}"))
		g := New(Options{Config: c, Log: zerolog.New(slowly("write log made"))})
		p := &patience{Store: etcd.NewMemory(), t: t}
		g.store = p
		began := time.Now()
		if err := g.build(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*startTimeout || p.asked < 2 {
			t.Errorf("it took %v, and asked %d times", took, p.asked)
		}
		if err := g.release(); err != nil {
			t.Error(err)
		}
	})
}

// cutShort is a device that takes so many writes and syncs, and then no more.
type cutShort struct {
	drive.Device
	left int
}

func (d *cutShort) take(call func() error) error {
	if d.left--; d.left < 0 {
		return errBoom
	}
	return call()
}

func (d *cutShort) WriteAt(p []byte, off int64) error {
	return d.take(func() error { return d.Device.WriteAt(p, off) })
}

func (d *cutShort) Sync() error { return d.take(d.Device.Sync) }

// A start that is cut short while it makes the write log is made good by the next one.
func TestALogThatIsHalfMadeIsMadeByTheNextStart(t *testing.T) {
	tier := configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: filepath.Join(t.TempDir(), "log.img"), Size: 2 * mib}}
	whole := false
	for calls := 0; !whole; calls++ {
		medium, err := drive.Open(drive.Options{Path: tier.Log.Path, Size: int64(tier.Log.Size)})
		if err == nil {
			err = medium.WriteAt(drive.Buffer(2*mib), 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		whole = writelog.Format(&cutShort{medium, calls}, writelog.FormatOptions{}) == nil
		if err := medium.Close(); err != nil {
			t.Fatal(err)
		}
		p, err := newPool(tier, true, newLines(t).logger())
		if err != nil {
			t.Errorf("after %d calls: %v", calls, err)
			continue
		}
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
