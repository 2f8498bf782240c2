package gateway

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/volume"
	"forebay/configs"
	"forebay/protocols/scsi"
)

// lives is a disk over an array in memory, with a flash tier on a file: one life after the other.
type lives struct {
	t    *testing.T
	san  *san
	dir  string
	tier configs.Tier
	id   scsi.Identity

	log   *lines
	notes *flashNotes
	pool  *pool
	disk  *disk
	stop  func()
}

func newLives(t *testing.T) *lives {
	l := &lives{t: t, san: newSAN(t, cachecore.ArrayInfo{}), dir: t.TempDir(), id: scsi.Identity{NAA: [16]byte{1}, Name: "vol1"}}
	l.tier = configs.Tier{Pool: "fast", RAM: mib, Flash: &configs.Media{Path: filepath.Join(l.dir, "flash.img"), Size: 64 * mib}}
	return l
}

// start is the start of a gateway that has those volumes, up to its pools.
func (l *lives) start(volumes ...configs.Volume) {
	l.t.Helper()
	var err error
	if l.notes, err = openFlashNotes(l.dir); err != nil {
		l.t.Fatal(err)
	}
	l.log = newLines(l.t)
	if l.pool, err = newPool(l.tier, false, l.log.logger()); err != nil {
		l.t.Fatal(err)
	}
	g := New(Options{Config: &configs.Config{Gateway: configs.Gateway{DataDir: l.dir, Tiers: []configs.Tier{l.tier}}, Volumes: volumes},
		Log: l.log.logger()})
	g.pools["fast"] = l.pool
	if err := g.addFlash(); err != nil {
		l.t.Fatal(err)
	}
	if l.pool.flash != nil {
		l.notes = l.pool.flash.notes
	}
}

// begin is the start of a gateway, up to its volume.
func (l *lives) begin() {
	l.t.Helper()
	l.start(volumeConfig(fail))
	l.disk = newDisk(volumeConfig(fail), 1, l.pool, newAttachment("san1", "mem", l.san.attach, l.log.logger()), l.id, l.log.logger())
	l.serve()
}

func (l *lives) serve() {
	l.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { l.disk.run(ctx); close(ended) }()
	l.stop = func() { stop(); <-ended }
	l.log.wait("volume serves")
}

// beginInDoubt is a start at which others may have written to the array before the volume is there.
func (l *lives) beginInDoubt() {
	l.t.Helper()
	l.start(volumeConfig(fail))
	opened := func(ctx context.Context) (backend, error) {
		l.disk.attachment.hear(event{Available: true, Unproven: true})
		return l.san.attach(ctx)
	}
	l.disk = newDisk(volumeConfig(fail), 1, l.pool, newAttachment("san1", "mem", opened, l.log.logger()), l.id, l.log.logger())
	l.serve()
}

// end is a clean one.
func (l *lives) end() {
	l.t.Helper()
	err := l.disk.close(context.Background())
	l.stop()
	if err = errors.Join(err, l.pool.close(context.Background())); err != nil {
		l.t.Fatal(err)
	}
}

// volume is the disk's.
func (l *lives) volume() *volume.Volume { return l.disk.storage.volume.Load() }

// read reads a block and returns its first byte.
func (l *lives) read(number int64) byte {
	l.t.Helper()
	var s firstByte
	if err := l.volume().Read(context.Background(), &s, number*cachecore.BlockSize, cachecore.BlockSize); err != nil {
		l.t.Fatal(err)
	}
	return byte(s)
}

// firstByte is a sink that keeps one.
type firstByte byte

func (s *firstByte) Add(p []byte, owner cachecore.Releaser, token uint64) {
	*s = firstByte(p[0])
	owner.Release(token)
}

// cache has flash take a block.
func (l *lives) cache(number int64) {
	l.t.Helper()
	if err := l.volume().Flush(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	for range 2 {
		l.read(number)
		l.pool.store.Drop(1, cachecore.Block(number), 1)
	}
	before := l.san.count("read")
	l.read(number)
	if l.san.count("read") != before {
		l.t.Fatal("flash has not taken it")
	}
}

// warm says whether a block is read without asking the array.
func (l *lives) warm(number int64) bool {
	l.t.Helper()
	l.pool.store.Drop(1, cachecore.Block(number), 1)
	before := l.san.count("read")
	l.read(number)
	return l.san.count("read") == before
}
