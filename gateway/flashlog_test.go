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

	"golang.org/x/sys/unix"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	drive "forebay/cachecore/device"
	"forebay/cachecore/flash"
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

// What is acknowledged with the log in the end of the flash is there in the next life, whatever becomes of the tier for reads and of the policy.
func TestTheLogInTheFlashSurvivesWhatHappensToTheReadTier(t *testing.T) {
	for name, between := range map[string]func(*ended){
		"nothing":             func(*ended) {},
		"the policy changes":  func(x *ended) { x.write = configs.WriteThrough },
		"no size in the file": func(x *ended) { x.resized(0) },
		"the notes are gone":  func(x *ended) { os.Remove(filepath.Join(x.dir, "flash.json")) },
		"the read tier is made anew": func(x *ended) {
			x.start()
			if err := x.pool.flash.notes.setStore("fast", flash.ID{}); err != nil {
				x.t.Fatal(err)
			}
			x.end()
		},
		"it is resized and removed": func(x *ended) {
			x.start()
			if err := errors.Join(x.g.ResizeFlash(context.Background(), "fast", 64*mib), x.g.ResizeFlash(context.Background(), "fast", endSize-64*mib),
				x.g.RemoveFlash(context.Background(), "fast")); err != nil {
				x.t.Fatal(err)
			}
			x.expect(42)
			x.acknowledge(43)
			x.acknowledge(42)
			x.end()
		},
		"its first blocks rot": func(x *ended) {
			f, err := os.OpenFile(x.tier.Flash.Path, os.O_RDWR, 0)
			if err != nil {
				x.t.Fatal(err)
			}
			_, err = f.WriteAt(bytes.Repeat([]byte("rot"), 10000), 0)
			if err = errors.Join(err, f.Close()); err != nil {
				x.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			if !x.pool.log.durable || x.pool.flash.current() == nil {
				t.Fatal("no durable log, or no tier for reads")
			}
			x.acknowledge(42)
			x.end()
			between(x)
			x.start()
			defer x.end()
			x.expect(42)
		})
	}
}

// The tier for reads ends where the log begins.
func TestTheReadTierEndsWhereTheLogBegins(t *testing.T) {
	x := newEnded(t)
	x.start()
	defer x.end()
	if err := x.g.ResizeFlash(context.Background(), "fast", endSize-64*mib+4096); err == nil {
		t.Error("resized over the log")
	}
	if got := x.pool.flash.current().Stats().Bytes; got > endSize-64*mib {
		t.Errorf("it has %d bytes", got)
	}
	if got := x.pool.log.medium.Size(); got != 64*mib {
		t.Errorf("the log has %d bytes", got)
	}
	var st unix.Stat_t
	if err := unix.Stat(x.tier.Flash.Path, &st); err != nil || st.Blocks*512 < 64*mib {
		t.Errorf("%d bytes of the file are allocated (%v)", st.Blocks*512, err)
	}
}

// A flash that can't be opened is done without, if no volume is promised more; what has acknowledged writes in its log is offline meanwhile.
func TestAFlashThatCannotBeOpenedIsDoneWithoutUnlessItsLogIsPromised(t *testing.T) {
	hide := func(x *ended) {
		if err := errors.Join(os.Rename(x.tier.Flash.Path, x.tier.Flash.Path+".away"), os.Mkdir(x.tier.Flash.Path, 0o700)); err != nil {
			x.t.Fatal(err)
		}
	}
	show := func(x *ended) {
		if err := errors.Join(os.Remove(x.tier.Flash.Path), os.Rename(x.tier.Flash.Path+".away", x.tier.Flash.Path)); err != nil {
			x.t.Fatal(err)
		}
	}
	through := func(x *ended) { x.end(); x.write = configs.WriteThrough; x.start() }
	for name, c := range map[string]struct {
		before           func(*ended) // the life before
		write            string       // what is configured then
		refused, offline bool
	}{
		"a volume is to be written back": {before: func(*ended) {}, write: configs.WriteBack, refused: true},
		"a volume has been":              {before: func(x *ended) { x.acknowledge(42) }, write: configs.WriteThrough, offline: true},
		"none has been":                  {before: func(x *ended) { x.drained(); through(x) }, write: configs.WriteThrough},
		"an operator had it written back": {before: func(x *ended) { x.drained(); through(x); x.back(); x.acknowledge(42) }, write: configs.WriteThrough,
			offline: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			c.before(x)
			x.end()
			x.write = c.write
			hide(x)
			switch err := x.try(); {
			case c.refused:
				says(t, err, "write log in the end of the flash", x.tier.Flash.Path)
			case err != nil:
				t.Fatal(err)
			default:
				if s := x.pool.flash.status(); s.State != flashFailed || (x.disk.back.offline() != "") != c.offline {
					t.Errorf("%+v; offline: %s", s, x.disk.back.offline())
				}
				x.end()
			}
			show(x)
			x.start()
			defer x.end()
			if x.disk.back.offline() != "" {
				t.Errorf("offline with the flash back: %s", x.disk.back.offline())
			}
			if c.offline {
				x.expect(42)
			}
		})
	}
}

// back has the volume written back, as an operator does.
func (x *ended) back() {
	x.t.Helper()
	if err := x.g.SetWrite(x.t.Context(), "vol1", configs.WriteBack); err != nil {
		x.t.Fatal(err)
	}
}

// A place in the flash that had the log is for reads only once nothing is in it.
func TestTheLogsPlaceBecomesOneForReadsOnlyWhenItIsEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		was    configs.Size
		change func(*ended)
	}{
		"a log of its own":                   {endSize, (*ended).withLog},
		"a log of its own, the notes gone":   {endSize, func(x *ended) { x.withLog(); os.Remove(filepath.Join(x.dir, "flash.json")) }},
		"a log of its own and another size":  {endSize, func(x *ended) { x.withLog(); x.resized(600 * mib) }},
		"larger":                             {endSize, func(x *ended) { x.resized(1024 * mib) }},
		"too small for a log":                {endSize, func(x *ended) { x.resized(256 * mib); x.write = configs.WriteThrough }},
		"smaller, with room for another log": {640 * mib, func(x *ended) { x.resized(endSize) }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.resized(c.was)
			x.start()
			x.acknowledge(42)
			x.end()
			tier, write := x.tier, x.write
			c.change(x)
			changed := *x
			err := x.try()
			if !errors.Is(err, errLogLeft) {
				t.Fatalf("with acknowledged writes: %v", err)
			}
			says(t, err, "--write through", tier.Flash.Path)
			x.tier, x.write = tier, write
			x.start()
			x.expect(42)
			x.drained()
			x.end()
			x.tier, x.write = changed.tier, changed.write
			x.start()
			defer x.end()
			if x.hasLog(int64(c.was)) {
				t.Error("the old log is still there, in a place for reads")
			}
			p := make([]byte, cachecore.BlockSize)
			if err := x.mem.ReadAt(t.Context(), p, 0); err != nil || p[0] != 42 {
				t.Errorf("the array has %d (%v)", p[0], err)
			}
			if s := x.pool.flash.status(); s.State != flashOK {
				t.Errorf("%+v", s)
			}
		})
	}
}

// An empty log that volumes are still written back to, by their records, stays too: with another one they would be offline.
func TestAnEmptyLogInTheFlashStaysWhileVolumesCountOnIt(t *testing.T) {
	x := newEnded(t)
	x.start()
	x.end()
	x.withLog()
	err := x.try()
	if !errors.Is(err, errLogLeft) {
		t.Fatal(err)
	}
	says(t, err, "still written back to it")
	x.tier.Log = nil
	x.start()
	x.drained()
	x.end()
	x.withLog()
	x.start()
	defer x.end()
	if x.disk.back.offline() != "" {
		t.Error(x.disk.back.offline())
	}
}

// A flash that was for reads as a whole gives its end to the log; what others have in theirs is left alone.
func TestAFlashThatWasForReadsAsAWholeGivesItsEnd(t *testing.T) {
	x := newEnded(t)
	junk := func(path string, head int) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(bytes.Repeat([]byte{7}, 2*mib), endSize-64*mib)
		if head > 0 {
			_, err = f.WriteAt(bytes.Repeat([]byte("others"), head), 0)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	x.withLog()
	x.start()
	if got := x.pool.flash.current().Stats().Bytes; got <= endSize-64*mib {
		t.Errorf("with a log besides the flash has %d bytes for reads", got)
	}
	x.drained()
	x.end()
	junk(x.tier.Flash.Path, 0) // what is cached
	x.tier.Log = nil
	x.start()
	x.back()
	x.acknowledge(42)
	if got := x.pool.flash.current().Stats().Bytes; got > endSize-64*mib {
		t.Errorf("with the log in it the flash has %d bytes for reads", got)
	}
	x.end()
	x.start()
	x.expect(42)
	x.end()

	x = newEnded(t)
	d, err := drive.Open(drive.Options{Path: x.tier.Flash.Path, Size: endSize, Sparse: true})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	junk(x.tier.Flash.Path, 1000)
	if err := x.try(); !errors.Is(err, errNotVacant) {
		t.Errorf("over others' data: %v", err)
	}
	p := make([]byte, mib)
	f, err := os.Open(x.tier.Flash.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(p, endSize-64*mib); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{7}, mib)) {
		t.Errorf("others' data has changed (%v)", err)
	}
}

// Of a flash without a size in the file the gateway sees whether it can keep the promise; one that is small has no log in it.
func TestASmallFlashHasNoLogInIt(t *testing.T) {
	x := newEnded(t)
	x.write = configs.WriteThrough
	x.resized(256 * mib)
	x.start()
	if x.pool.log != nil || x.pool.flash.current() == nil {
		t.Errorf("log %v", x.pool.log)
	}
	x.end()
	x.resized(0)
	x.write = configs.WriteBack
	says(t, x.try(), "too small", x.tier.Flash.Path, "give the tier a log")
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

// A log that is known to be there is not made anew where something else is in its place, and one that is damaged is neither that nor for reads.
func TestALogInTheFlashThatIsSpoiledIsLeftAlone(t *testing.T) {
	const from = endSize - 64*mib
	superblocks := func(x *ended) {
		for _, at := range []int64{from, from + 4096, endSize - 8192, endSize - 4096} {
			x.spoil(at+100, 12)
		}
	}
	for name, c := range map[string]struct {
		spoil  func(*ended)
		change func(*ended)
	}{
		"overwritten":                        {func(x *ended) { x.spoil(from, mib); x.spoil(endSize-mib, mib) }, func(*ended) {}},
		"damaged, with a log of its own":     {superblocks, (*ended).withLog},
		"damaged, and the flash is enlarged": {superblocks, func(x *ended) { x.resized(2 * endSize) }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			x.acknowledge(42)
			x.end()
			c.spoil(x)
			was := x.place()
			c.change(x)
			if err := x.try(); err == nil {
				t.Error("it starts")
				x.end()
			}
			if !bytes.Equal(x.place(), was) {
				t.Error("the place of the log is not what it was")
			}
		})
	}
}

// place is what the flash has where its log begins.
func (x *ended) place() []byte {
	x.t.Helper()
	f, err := os.Open(x.tier.Flash.Path)
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 2*mib)
	if _, err := f.ReadAt(p, endSize-64*mib); err != nil {
		x.t.Fatal(err)
	}
	return p
}

// The log goes from the flash to a medium of its own, and back to a place that has been for reads meanwhile.
func TestTheLogComesBackToTheFlash(t *testing.T) {
	x := newEnded(t)
	x.start()
	x.drained()
	x.end()
	x.withLog()
	x.start()
	x.end()
	x.spoil(endSize-64*mib, 2*mib) // what is cached
	x.tier.Log = nil
	x.start()
	x.back()
	x.acknowledge(42)
	x.end()
	x.start()
	defer x.end()
	x.expect(42)
}
