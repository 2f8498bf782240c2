package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	flash "forebay/cachecore/device"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/scsi"
)

// logged is a pool with a write log on a file, which two volumes share over arrays in memory; a test carries it from one life to the next. Its destagers
// run when it says so.
type logged struct {
	t     *testing.T
	path  string // empty: in RAM
	store etcd.Store
	mems  map[string]*arraytest.Mem
	names []string          // of the volumes that are configured
	over  map[string]string // the arrays of those that were put over another one
	said  *lines

	gateway *Gateway
	pool    *pool
	disks   map[string]*disk
	end     func()
}

func newLogged(t *testing.T) *logged {
	x := &logged{t: t, path: filepath.Join(t.TempDir(), "log.img"), store: etcd.NewMemory(), mems: map[string]*arraytest.Mem{}, end: func() {}}
	x.names = []string{"vol1", "vol2"}
	for _, name := range x.names {
		x.mems[name] = arraytest.NewMem(cachecore.ArrayInfo{Size: 8 * mib, WriteCache: true})
	}
	x.start()
	t.Cleanup(func() { x.end() })
	return x
}

// start is the beginning of a life.
func (x *logged) start() {
	x.t.Helper()
	x.said = newLines(x.t)
	tier := configs.Tier{Pool: "fast", RAM: mib}
	if x.path != "" {
		tier.Log = &configs.Media{Path: x.path, Size: 2 * mib}
	}
	p, err := newPool(tier, true, x.said.logger())
	if err != nil {
		x.t.Fatal(err)
	}
	config := &configs.Config{}
	for _, name := range x.names {
		c := volumeConfig(configs.OnArrayLoss{})
		c.Name, c.From.Array, c.Policy.Write = name, cmp.Or(x.over[name], "san-"+name), configs.WriteBack
		config.Volumes = append(config.Volumes, c)
	}
	g := New(Options{Config: config, Log: x.said.logger()})
	g.store = x.store
	g.pools["fast"], x.gateway, x.pool, x.disks = p, g, p, map[string]*disk{}
	bases := map[writelog.Shard]cachecore.Epoch{}
	for i, c := range config.Volumes {
		name := c.Name
		naa := [16]byte{name[3]}
		d := newDisk(c, cachecore.ObjectID(i+1), p, nil, scsi.Identity{NAA: naa}, x.said.logger())
		var base cachecore.Epoch
		if d.back, base, err = g.newBack(x.t.Context(), c, p, x.mems[name], naa); err != nil {
			x.t.Fatal(err)
		}
		bases[shardOf(naa)], x.disks[name] = base, d
		g.disks = append(g.disks, d)
	}
	if err := errors.Join(g.replay(bases), g.nameLogs(x.t.Context())); err != nil {
		x.t.Fatal(err)
	}
	x.end = func() {
		x.end = func() {}
		if err := p.close(context.Background()); err != nil {
			x.t.Error(err)
		}
	}
}

// destage runs the destager of a volume until the end of the life.
func (x *logged) destage(name string) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		x.disks[name].back.Run(ctx)
		close(ended)
	}()
	end := x.end
	x.end = func() {
		stop()
		<-ended
		end()
	}
}

func (x *logged) restart() {
	x.end()
	x.start()
}

func (x *logged) write(name string, block int64, content byte) {
	x.t.Helper()
	p := bytes.Repeat([]byte{content}, cachecore.BlockSize)
	if err := x.disks[name].back.WriteAt(x.t.Context(), p, block*cachecore.BlockSize, cachecore.WriteOptions{}); err != nil {
		x.t.Fatal(err)
	}
}

// rot spoils what the log's medium has of a block of that content.
func (x *logged) rot(content byte) {
	x.t.Helper()
	image, err := os.ReadFile(x.path)
	if err != nil {
		x.t.Fatal(err)
	}
	at := bytes.LastIndex(image, bytes.Repeat([]byte{content}, 128)) // in the block behind the one with its descriptor
	f, err := os.OpenFile(x.path, os.O_WRONLY, 0)
	if at < 0 || err != nil {
		x.t.Fatal("not in the log, or: ", err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{content ^ 1}, int64(at)); err != nil {
		x.t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		x.t.Fatal(err)
	}
}

func (x *logged) mode(name string) writeback.Mode { return x.disks[name].back.Status().Effective }

func (x *logged) expectModes(one, two writeback.Mode) {
	x.t.Helper()
	if a, b := x.mode("vol1"), x.mode("vol2"); a != one || b != two {
		x.t.Errorf("vol1 is %v and vol2 %v, want %v and %v", a, b, one, two)
	}
}

func TestF2_AfterARestartOnlyVolumesAreOfflineWhoseWritesAreDamaged(t *testing.T) {
	x := newLogged(t)
	for block := range int64(3) {
		x.write("vol1", block, 'a'+byte(block))
		x.write("vol2", block, 'x')
	}
	x.end()
	x.rot('b')
	x.start()
	x.expectModes(writeback.Lost, writeback.Back)
	x.said.wait("the write log is damaged", "vol1")
	if s := x.pool.log.status(); len(s.Damage) != 1 {
		t.Errorf("the status tells %+v", s)
	}
	x.restart()
	x.expectModes(writeback.Lost, writeback.Back)
}

// The log could not be told that the array has everything: it has failed meanwhile, say. The base says so (PROTOCOL A2).
func TestA2_DamageBelowTheBaseTakesNothingOfflineAndIsForgotten(t *testing.T) {
	x := newLogged(t)
	for block := range int64(3) {
		x.write("vol1", block, 'a'+byte(block))
	}
	if _, err := x.store.RaiseBase(t.Context(), "vol1", x.pool.log.named(), "san-vol1"); err != nil {
		t.Fatal(err)
	}
	x.end()
	x.rot('b')
	x.start()
	x.expectModes(writeback.Back, writeback.Back)
	if s := x.pool.log.status(); len(s.Damage) > 0 || s.UsedBytes > 0 {
		t.Errorf("the log keeps what doesn't count: %+v", s)
	}
	x.write("vol1", 7, 'd')
	x.restart()
	x.expectModes(writeback.Back, writeback.Back)
	p := make([]byte, 512)
	if err := x.disks["vol1"].back.ReadAt(t.Context(), p, 7*cachecore.BlockSize); err != nil || p[0] != 'd' {
		t.Errorf("what was written afterwards reads as %q, %v", p[:1], err)
	}
}

// The log finds the damage when it is about to move the record, as the other volume's writes come round.
func TestF2_DamageThatIsFoundWhileTheLogRunsConcernsItsVolume(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.rot('a')
	x.destage("vol2")
	for block := int64(0); len(x.said.with("the write log is damaged", "vol1")) == 0; block++ {
		x.write("vol2", block%64, 'x')
	}
	x.expectModes(writeback.Dead, writeback.Back)
	if s := x.disks["vol1"].back.Status(); s.Reason == "" {
		t.Errorf("%+v", s)
	}
	x.destage("vol1") // and now it has to be carried
	x.said.wait("the volume is offline", "vol1")
	x.expectModes(writeback.Lost, writeback.Back)
}

// What a power cut leaves of the last frame is cut, and told. Nothing says that it was durable.
func TestF1_ATornEndIsTold(t *testing.T) {
	x := newLogged(t)
	x.write("vol1", 0, 'a')
	x.write("vol1", 1, 'b')
	x.end()
	x.unsay('b')
	x.rot('b')
	x.start()
	x.said.wait("the write log ended in a frame", `"records":1`)
	x.expectModes(writeback.Back, writeback.Back)
	if s := x.pool.log.status(); s.Torn == "" || len(s.Damage) > 0 {
		t.Errorf("the status tells %+v", s)
	}
}

// unsay takes away what the log has behind a block of that content, up to the superblocks at the end.
func (x *logged) unsay(content byte) {
	x.t.Helper()
	image, err := os.ReadFile(x.path)
	if err != nil {
		x.t.Fatal(err)
	}
	const unit = flash.Unit
	behind := (bytes.LastIndex(image, bytes.Repeat([]byte{content}, 128))/unit + 1) * unit
	clear(image[behind : len(image)-2*unit])
	if err := os.WriteFile(x.path, image, 0o600); err != nil {
		x.t.Fatal(err)
	}
}
