package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
	"forebay/cachecore/volume"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
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

// What flash had before a restart is served after it if nothing was otherwise in between, and else is not.
func TestARestartFindsWhatFlashHasIfNothingWasOtherwise(t *testing.T) {
	tier := func(change func(*configs.Tier)) func(*lives) {
		return func(l *lives) {
			was := *l.tier.Flash
			change(&l.tier)
			l.begin()
			l.end()
			l.tier.Flash = &was
		}
	}
	for name, c := range map[string]struct {
		between func(*lives)
		warm    bool
	}{
		"nothing":                 {func(*lives) {}, true},
		"another life":            {tier(func(*configs.Tier) {}), true},
		"a life without flash":    {tier(func(t *configs.Tier) { t.Flash = nil }), false},
		"a life with other flash": {tier(func(t *configs.Tier) { t.Flash = &configs.Media{Path: t.Flash.Path + "2", Size: 64 * mib} }), false},
		"another array":           {func(l *lives) { l.san.set(func(s *san) { s.identity = "uuid:2" }) }, false},
		"another volume":          {func(l *lives) { l.id.NAA[0]++ }, false},
		"a life of other volumes": {func(l *lives) {
			l.start()
			if err := l.pool.close(context.Background()); err != nil {
				l.t.Fatal(err)
			}
		}, false},
		"the notes are gone":       {func(l *lives) { os.Remove(filepath.Join(l.dir, "flash.json")) }, false},
		"the notes make no sense":  {func(l *lives) { os.WriteFile(filepath.Join(l.dir, "flash.json"), []byte("{"), 0o600) }, false},
		"the device was made anew": {func(l *lives) { os.Remove(l.tier.Flash.Path) }, false},
		"a start that finds no way": {tier(func(t *configs.Tier) {
			t.Flash = &configs.Media{Path: filepath.Join(t.Flash.Path, "x"), Size: 64 * mib}
		}), false},
		"a life that could not attach": {func(l *lives) {
			l.begin()
			if err := (&unkept{notes: l.notes, volume: "vol1"}).forget(); err != nil {
				l.t.Fatal(err)
			}
			l.end()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			l.begin()
			l.cache(3)
			l.end()
			c.between(l)
			l.begin()
			defer l.end()
			if got := l.warm(3); got != c.warm {
				t.Errorf("warm: %v", got)
			}
		})
	}
}

// An array that is attached again in the same life may have forgotten what it had answered: flash is dropped, and after a restart as well.
func TestFlashIsDroppedWhenTheArrayComesBack(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	l.disk.attaching(l.disk.attachment.Info())
	if l.warm(3) {
		t.Error("served after another attachment")
	}
	l.cache(4)
	l.disk.doubted(false)
	if l.warm(4) {
		t.Error("served in doubt")
	}
	l.end()
	l.begin()
	defer l.end()
	if l.warm(3) || l.warm(4) {
		t.Error("served after a restart")
	}
}

// What is read back after a write that no flush has covered is not found after a restart: the array may have lost power, and the write.
func TestFlashIsNotAheadOfAnArrayThatLostPower(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	if err := l.volume().Write(context.Background(), bytes.Repeat([]byte{7}, cachecore.BlockSize), 3*cachecore.BlockSize, false); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		l.warm(3)
	}
	l.stop()
	_ = l.volume().Close(context.Background())
	if err := l.pool.close(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.san.mem.Crash(nil)
	l.begin()
	defer l.end()
	if got := l.read(3); got != 0 {
		t.Errorf("read %d, and the array has 0", got)
	}
}

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

// What is cached of a file is gone when it is dropped, and when its volume is closed.
func TestWhatFlashHasOfAFileIsPerishable(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	mem := arraytest.NewMem(cachecore.ArrayInfo{Size: mib})
	p := l.pool.flash.perishable()
	v := volume.New(volume.Options{Object: 2, Array: mem, Store: l.pool.store, Buffers: l.pool.buffers, SequentialBypass: -1, Flash: p})
	read := func() {
		var s firstByte
		l.pool.store.Drop(2, 0, 8)
		if err := v.Read(context.Background(), &s, 0, cachecore.BlockSize); err != nil {
			t.Fatal(err)
		}
	}
	has := func() bool { f := p.Contains(0, 1); return f.Has(0) }
	read()
	read()
	if !has() {
		t.Fatal("flash has not taken it")
	}
	if err := v.Write(context.Background(), make([]byte, 512), 0, false); err != nil || has() {
		t.Errorf("found after a write (%v)", err)
	}
	read()
	read()
	if !has() {
		t.Fatal("flash has not taken it again")
	}
	v.Drop()
	if has() {
		t.Error("found after a drop")
	}
	read()
	read()
	if err := v.Close(context.Background()); err != nil || has() {
		t.Errorf("found after the end (%v)", err)
	}
}

// A volume that is served with anything else than last time begins anew, and one that nothing can be told of does each time.
func TestTheNotesTellWhetherAVolumeIsServedAsBefore(t *testing.T) {
	dir := t.TempDir()
	notes, err := openFlashNotes(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		volume, with string
		since        cachecore.Epoch
	}{{"a", "x", 1}, {"a", "x", 1}, {"b", "x", 2}, {"a", "y", 3}, {"a", "x", 4}, {"a", "", 5}, {"a", "", 6}, {"a", "x", 7}, {"b", "x", 2}} {
		if notes, err = openFlashNotes(dir); err != nil { // durable, each
			t.Fatal(err)
		}
		if since, err := notes.since(c.volume, c.with); err != nil || since != c.since {
			t.Errorf("%d: since %d, not %d (%v)", i, since, c.since, err)
		}
	}
	if err := notes.forget("b"); err != nil {
		t.Fatal(err)
	}
	if since, err := notes.since("b", "x"); err != nil || since != 8 {
		t.Errorf("a volume that was forgotten: since %d (%v)", since, err)
	}
	notes.path = filepath.Join(dir, "away", "flash.json")
	if _, err := notes.since("c", "x"); err == nil || notes.forget("a") == nil {
		t.Error("what could not be noted counts")
	}
}

// Under a write log in RAM what is cached counts for one life, and under another log it doesn't.
func TestWhatIsCachedGoesWithTheWriteLog(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	store, plain := l.pool.flash.current(), l.disk.servedWith(l.pool.flash.current())
	words := map[string]bool{plain: true}
	for range 2 {
		log, err := openLog(configs.Tier{Pool: "fast", RAM: mib}, nil, l.log.logger())
		if err != nil {
			t.Fatal(err)
		}
		x := &disk{pool: &pool{log: log}, back: &back{durable: true}, attachment: l.disk.attachment}
		words[x.servedWith(store)] = true
		x.back = &back{}
		words[x.servedWith(store)] = true
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(words) != 4 || !words[""] {
		t.Errorf("%v", words)
	}
}

// A flash tier is resized and taken out while its volumes go on.
func TestAFlashTierIsResizedAndRemovedOnTheFly(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	g := &Gateway{pools: map[string]*pool{"fast": l.pool, "slow": {}}, disks: []*disk{l.disk}}
	before := g.flashStatus("fast").Bytes
	for _, c := range []struct {
		pool  string
		bytes int64
		want  error
	}{{"fast", 32 * mib, nil}, {"fast", 65 * mib, api.ErrRefused}, {"fast", 4096, api.ErrRefused}, {"slow", mib, api.ErrRefused}, {"none", mib, api.ErrNotFound}} {
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

func TestTheCacheIsDroppedAsAskedFor(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	l.cache(3)
	g := &Gateway{pools: map[string]*pool{"fast": l.pool}, disks: []*disk{l.disk}}
	if err := g.DropCache(context.Background(), "vol2"); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	if err := g.DropCache(context.Background(), "vol1"); err != nil || l.warm(3) {
		t.Errorf("it is still there (%v)", err)
	}
}

// Others may have written to the array before the volume was there: nothing from an earlier life counts.
func TestFlashIsDroppedInDoubtBeforeTheVolumeIsThere(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	l.end()
	l.beginInDoubt()
	defer l.end()
	if l.warm(3) {
		t.Error("served in doubt")
	}
}

// Under a write log it is the array that is flushed for what flash keeps: the log answers only for what it has itself.
func TestWhatIsKeptUnderAWriteLogIsFlushedOnTheArray(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	if l.disk.settle() != nil {
		t.Error("without a log flushes are enough")
	}
	log, err := openLog(configs.Tier{Pool: "fast", RAM: mib}, nil, l.log.logger())
	if err != nil {
		t.Fatal(err)
	}
	array := writeback.New(writeback.Options{Array: l.disk.attachment, Log: log, Buffers: l.pool.buffers, Shard: 1, Epoch: 1, Durable: true}, writeback.Back)
	x := &disk{back: &back{Array: array}, attachment: l.disk.attachment}
	before := l.san.count("flush")
	if err := array.Flush(context.Background()); err != nil || l.san.count("flush") != before {
		t.Errorf("the log's flush asks the array (%v)", err)
	}
	if err := x.settle()(context.Background()); err != nil || l.san.count("flush") != before+1 {
		t.Errorf("the array is not flushed (%v)", err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
}
