package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore/flash"
	"forebay/configs"
	"forebay/gateway/export"
	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// shared is a start of a gateway with an export over the flash tier of l, up to serving it.
func (l *lives) shared() *Gateway {
	l.t.Helper()
	c := configs.Volume{Name: "one", Pool: "fast", NFS: &configs.NFSExport{Export: "/one"}}
	l.start(c)
	g := New(Options{Config: &configs.Config{Gateway: configs.Gateway{DataDir: l.dir}, Volumes: []configs.Volume{c}}, Log: l.log.logger()})
	g.pools["fast"] = l.pool
	g.openWitnesses()
	f := newFiler("nas", "memory", nil, g.log)
	f.attached(memory{nfstest.New(nfstest.Options{})})
	s, err := newShare(c, 1, l.pool, new(export.Objects), f, nil, false, g.log)
	if err != nil {
		l.t.Fatal(err)
	}
	g.shares = []*share{s}
	return g
}

// over is a clean end of it.
func (l *lives) over(g *Gateway) {
	l.t.Helper()
	if err := g.shares[0].close(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if err := g.release(); err != nil {
		l.t.Fatal(err)
	}
}

// What is noted of an export's files is of the store that is below it, and lasts until the cache is dropped.
func TestWitnessesAreOfTheStoreThatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		between func(*lives, *Gateway)
		left    int
	}{
		"nothing else": {func(*lives, *Gateway) {}, 1},
		"its cache is dropped": {func(l *lives, g *Gateway) {
			if err := g.DropCache(t.Context(), "one"); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"its store is condemned": {func(l *lives, g *Gateway) {
			if err := g.condemn(l.pool.flash.current().ID()); err != nil {
				t.Fatal(err)
			}
			if err := g.condemn(flash.ID{7}); err != nil {
				t.Error(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			g := l.shared()
			w := witnesses.Witness{Store: l.pool.flash.current().ID(), Key: flash.Key{1}}
			if !l.pool.flash.witnessesOf("one").Put(nfs.Handle{1}, w) || !l.pool.flash.witnessesOf("two").Put(nfs.Handle{1}, w) {
				t.Fatal("not noted")
			}
			c.between(l, g)
			l.over(g)
			g = l.shared()
			defer l.over(g)
			if n := g.witnesses.Count(); n != c.left {
				t.Errorf("%d witnesses, not %d", n, c.left)
			}
		})
	}
}

// In a life that can't read what is noted, who has the cache dropped gives up what earlier lives may have noted.
func TestACacheIsDroppedForGoodWithoutWitnesses(t *testing.T) {
	l := newLives(t)
	path := filepath.Join(l.dir, witnessesFile)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	g := l.shared()
	if g.witnesses != nil || l.pool.flash.witnessesOf("one") != nil || len(l.log.with("of no use after the next start")) != 1 {
		t.Fatal("a folder is opened")
	}
	if _, known := l.notes.store("fast"); !known {
		t.Error("the store is given up")
	}
	if err := g.DropCache(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, known := l.notes.store("fast"); known {
		t.Error("the store is not given up")
	}
	l.over(g)
}
