package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	drive "forebay/cachecore/device"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/scsi"
)

const endSize = 512 * mib // of a flash with a log in it

// ended is a pool with nothing but flash, over an array in memory; a test carries it from one life to the next, with whatever configuration. No destager runs,
// so what is acknowledged stays in the log.
type ended struct {
	t     *testing.T
	dir   string
	tier  configs.Tier
	write string // of the policy
	store etcd.Store
	mem   *arraytest.Mem
	said  *lines

	g    *Gateway
	pool *pool
	disk *disk
}

func newEnded(t *testing.T) *ended {
	x := &ended{t: t, dir: t.TempDir(), write: configs.WriteBack, store: etcd.NewMemory(), mem: arraytest.NewMem(cachecore.ArrayInfo{Size: 8 * mib, WriteCache: true})}
	x.tier = configs.Tier{Pool: "fast", RAM: mib, Flash: &configs.Media{Path: filepath.Join(x.dir, "flash.img"), Size: endSize}}
	return x
}

// try is the beginning of a life, which may fail.
func (x *ended) try() error {
	x.t.Helper()
	x.said = newLines(x.t)
	c := volumeConfig(fail)
	if c.Policy.Write = x.write; x.write == configs.WriteBack {
		c.Policy.Survives = configs.SurvivesPowerLoss
	}
	x.g = New(Options{Config: &configs.Config{Gateway: configs.Gateway{DataDir: x.dir, Tiers: []configs.Tier{x.tier}}, Volumes: []configs.Volume{c}},
		Log: x.said.logger()})
	x.g.store = x.store
	var err error
	if x.g.owed, err = x.g.owedLogs(x.t.Context()); err != nil {
		return err
	}
	if x.pool, err = newPool(x.tier, x.g.writesBack("fast"), x.said.logger()); err != nil {
		return err
	}
	x.g.pools["fast"] = x.pool
	if err := x.build(c); err != nil {
		return errors.Join(err, x.pool.close(context.Background()))
	}
	return nil
}

func (x *ended) build(c configs.Volume) error {
	if err := x.g.addFlash(); err != nil {
		return err
	}
	bases := map[writelog.Shard]cachecore.Epoch{}
	naa := [16]byte{1}
	x.disk = newDisk(c, 1, x.pool, nil, scsi.Identity{NAA: naa}, x.said.logger())
	if x.pool.log != nil {
		b, base, err := x.g.newBack(x.t.Context(), c, x.pool, x.mem, naa)
		if err != nil {
			return err
		}
		x.disk.back, bases[shardOf(naa)] = b, base
	}
	x.g.disks = []*disk{x.disk}
	return errors.Join(x.g.replay(bases), x.g.nameLogs(x.t.Context()))
}

func (x *ended) start() {
	x.t.Helper()
	if err := x.try(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *ended) end() {
	x.t.Helper()
	if err := x.pool.close(context.Background()); err != nil {
		x.t.Fatal(err)
	}
}

// acknowledge writes a block, of which the array gets nothing.
func (x *ended) acknowledge(content byte) {
	x.t.Helper()
	p := bytes.Repeat([]byte{content}, cachecore.BlockSize)
	if err := x.disk.back.WriteAt(x.t.Context(), p, 0, cachecore.WriteOptions{}); err != nil {
		x.t.Fatal(err)
	}
}

func (x *ended) expect(content byte) {
	x.t.Helper()
	p := make([]byte, cachecore.BlockSize)
	if err := x.disk.back.ReadAt(x.t.Context(), p, 0); err != nil || p[0] != content {
		x.t.Errorf("the volume has %d, not %d (%v)", p[0], content, err)
	}
}

// drained has what is acknowledged carried to the array, and the volume be write-through from then on.
func (x *ended) drained() {
	x.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { x.disk.back.Run(ctx); close(over) }()
	err := x.g.SetWrite(ctx, "vol1", configs.WriteThrough)
	for err == nil && x.disk.back.Status().Effective != writeback.Through {
		runtime.Gosched()
	}
	stop()
	<-over
	if err != nil {
		x.t.Fatal(err)
	}
}

// hasLog says whether the flash has a log where one is if it has that size.
func (x *ended) hasLog(size int64) bool {
	x.t.Helper()
	f, err := os.Open(x.tier.Flash.Path)
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	image := drive.Buffer(int(configs.FlashLog(size)))
	if _, err := f.ReadAt(image, size-int64(len(image))); err != nil {
		x.t.Fatal(err)
	}
	part, err := drive.NewMemory(image)
	if err != nil {
		x.t.Fatal(err)
	}
	return !errors.Is(writelog.Probe(part), writelog.ErrNotFormatted)
}

func (x *ended) resized(to configs.Size) {
	x.tier.Flash = &configs.Media{Path: x.tier.Flash.Path, Size: to}
}

func (x *ended) withLog() {
	x.tier.Log = &configs.Media{Path: filepath.Join(x.dir, "log.img"), Size: 64 * mib}
}

// spoil writes others' data to the flash from there on.
func (x *ended) spoil(from int64, bytes int) {
	x.t.Helper()
	f, err := os.OpenFile(x.tier.Flash.Path, os.O_RDWR, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	_, err = f.WriteAt(slices.Repeat([]byte("others"), bytes/6), from)
	if err = errors.Join(err, f.Close()); err != nil {
		x.t.Fatal(err)
	}
}
