package integration

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/integration/relay"
	"forebay/protocols/iscsi/initiator"
)

// What is dirty is drained over an array of 20 MB/s while clients go on writing: no write is acknowledged later than 3 s after it was sent (PROTOCOL B5,
// DESIGN 11). The soak, and the row of the bench, are of 2 GiB.
func TestB5_NoWriteWaitsLongWhileAVolumeIsDrained(t *testing.T) {
	dirty := int64(96 << 20)
	if soak() {
		dirty = 2 << 30
	}
	d := drainUnderLoad(t, dirty)
	t.Log(d)
	if d.longest > 3*time.Second {
		t.Errorf("a write took %v", d.longest)
	}
}

var drainRow = row{"draining 2 GiB over a 20 MB/s array under load, longest write, s", "go test -run TestBench ./integration (8 writers of 4 KiB and 64 KiB while forebay volume policy NAME --write through)",
	atMost(3), func(b *bed) figure {
		d := drainUnderLoad(b.t, 2<<30)
		return figure{ours: d.String(), value: d.longest.Seconds(), unit: "s"}
	}}

// draining is what was seen while a volume was drained.
type draining struct {
	took, longest time.Duration
	writes, bytes int64
}

func (d draining) String() string {
	return fmt.Sprintf("drained in %.1f s beside %d writes of %d MiB, the longest of %.2f s", d.took.Seconds(), d.writes, d.bytes>>20, d.longest.Seconds())
}

// drainUnderLoad makes so many bytes dirty, asks for write-through, and writes on until that is in effect.
func drainUnderLoad(t testing.TB, dirty int64) draining {
	t.Helper()
	const rate, buffer = 20_000_000, 256 << 10 // what a relay lets through in a second is its buffer by its delay
	a := startTgtd(t, tgtdOptions{size: dirty * 5 / 4, writeCache: true})
	r := startRelay(t, a.portal, relay.Options{Buffer: buffer})
	r.Delay(relay.ToServer, buffer*time.Second/rate)
	s := settings{dir: t.TempDir(), ram: "64MiB", array: a.over(r.Addr()), lun: 1, write: "back"}
	s.log = fmt.Sprintf("path: %s, size: %dMiB", filepath.Join(s.dir, "log.img"), 2*dirty>>20)
	g := startGateway(t, s)
	x := &loader{t: t, size: dirty * 5 / 4}
	x.session(g)
	x.fill(func() bool { return g.status().Volumes[0].Writeback.DirtyBytes >= dirty })

	stop := x.load()
	began := time.Now()
	command(t, forebay, "volume", "policy", "vol1", "--write", "through", "--api", g.api)
	eventually(t, 10*time.Minute, "drained", func() bool { return g.status().Volumes[0].Effective == "write-through" })
	took := time.Since(began)
	stop()
	return draining{took: took, longest: time.Duration(x.longest.Load()), writes: x.writes.Load(), bytes: x.bytes.Load()}
}

// loader writes to a volume from several goroutines over one session.
type loader struct {
	t    testing.TB
	s    *initiator.Session
	size int64 // of the volume

	longest, writes, bytes atomic.Int64
}

func (x *loader) session(g *gatewayProcess) {
	x.t.Helper()
	s, err := initiator.Dial(x.t.Context(), initiator.Options{Portal: g.portal, Target: demoTarget})
	if err == nil {
		err = s.Ready(x.t.Context(), 0)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(s.Abandon)
	x.s = s
}

// each runs eight writers until what they call says no.
func (x *loader) each(next func(writer int) bool) *sync.WaitGroup {
	var all sync.WaitGroup
	for writer := range 8 {
		all.Go(func() {
			for next(writer) {
			}
		})
	}
	return &all
}

func (x *loader) write(off int64, n int) bool {
	c := &initiator.Command{Out: numbered(n, uint64(off))}
	c.Write(uint64(off/512), uint32(n/512), false)
	if err := x.s.Do(x.t.Context(), c); err != nil {
		x.t.Error(err)
		return false
	}
	return true
}

// fill writes the volume from its beginning on, in large pieces, until that is enough.
func (x *loader) fill(enough func() bool) {
	x.t.Helper()
	const piece = 256 << 10
	var at atomic.Int64
	var done atomic.Bool
	all := x.each(func(int) bool { return !done.Load() && x.write((at.Add(piece)-piece)%(x.size/piece*piece), piece) })
	eventually(x.t, 2*time.Minute, "the log is filled", enough)
	done.Store(true)
	all.Wait()
}

// load writes small pieces anywhere, and notes how long that takes, until what it returns is called.
func (x *loader) load() (stop func()) {
	var done atomic.Bool
	all := x.each(func(writer int) bool {
		n := 4096 << (writer % 2 * 4)
		began := time.Now()
		ok := x.write(rand.Int64N(x.size/int64(n))*int64(n), n)
		took := int64(time.Since(began))
		for was := x.longest.Load(); took > was && !x.longest.CompareAndSwap(was, took); was = x.longest.Load() {
		}
		x.writes.Add(1)
		x.bytes.Add(int64(n))
		return ok && !done.Load()
	})
	return func() {
		done.Store(true)
		all.Wait()
	}
}
