package staged

import (
	"bytes"
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/ram"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

const mib = 1 << 20

// rig is a file system with a log in memory over a filer in memory. Each life of it has the log's and the filer's.
type rig struct {
	testing.TB
	mem    *nfstest.Mem
	files  nfs.FileSystem // mem, or what stands in front of it
	medium device.Device
	before func(writeback.Log) writeback.Log // stands in front of the log; nil: nothing
	ledger ledger
	parked string
	mode   writeback.Mode
	change []func(*Options, *writeback.Options)

	log *writelog.Log
	*FileSystem
	root nfstest.User
	kill func()
}

type ledger struct {
	mu    sync.Mutex
	epoch cachecore.Epoch
	base  cachecore.Epoch
}

func (l *ledger) Raise(context.Context) (cachecore.Epoch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	l.base = l.epoch
	return l.epoch, nil
}

func (l *ledger) begin() (epoch, base cachecore.Epoch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch++
	return l.epoch, l.base
}

// slow has intervals go only when somebody waits for that.
func slow(_ *Options, w *writeback.Options) { w.IntervalAge, w.IntervalSize = time.Hour, 1<<40 }

// fast has them go at once.
func fast(_ *Options, w *writeback.Options) { w.IntervalAge = time.Millisecond }

func newRig(t testing.TB, change ...func(*Options, *writeback.Options)) *rig {
	t.Helper()
	r := &rig{TB: t, mem: nfstest.New(nfstest.Options{}), parked: filepath.Join(t.TempDir(), "parked"), mode: writeback.Back, change: change}
	r.files = r.mem
	var err error
	if r.medium, err = device.NewMemory(device.Buffer(64 * mib)); err != nil {
		t.Fatal(err)
	}
	if err := writelog.Format(r.medium, writelog.FormatOptions{}); err != nil {
		t.Fatal(err)
	}
	r.start()
	t.Cleanup(func() { r.kill() })
	return r
}

// start begins a life.
func (r *rig) start() {
	r.Helper()
	arena, err := ram.NewArena(32 * mib)
	if err != nil {
		r.Fatal(err)
	}
	var array *writeback.Array
	if r.log, err = writelog.Open(r.medium, writelog.Options{Moved: func(_ writelog.Shard, seq cachecore.Seq, _, to writelog.Position) { array.Moved(seq, to) }}); err != nil {
		r.Fatal(err)
	}
	o := Options{Files: r.files, Verifier: nfs.Verifier{7}, Durable: true, Parked: r.parked, Rights: time.Hour, Logger: zerolog.Nop()}
	w := writeback.Options{Buffers: ram.NewBuffers(arena.Take(32 * mib)), Ledger: &r.ledger, Shard: 7, Durable: true, Logger: zerolog.Nop()}
	known, _ := r.log.State(7)
	epoch, base := r.ledger.begin()
	w.Epoch, w.Seq = epoch, known.Last
	for _, f := range r.change {
		f(&o, &w)
	}
	if r.FileSystem, err = New(o); err != nil {
		r.Fatal(err)
	}
	w.Array, w.Log = r.Array(), r.FileSystem.Log(r.seen())
	array = writeback.New(w, r.mode)
	r.Use(array)
	if err := r.log.Replay(func(x writelog.Record, at writelog.Position) error {
		if x.Epoch >= base {
			r.Recover(x, at)
		}
		return nil
	}); err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		array.Run(ctx)
		close(ended)
	}()
	r.kill = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := r.log.Close(); err != nil {
			r.Error(err)
		}
		if err := arena.Close(); err != nil {
			r.Error(err)
		}
	})
	r.root = nfstest.User{T: r.T(), FS: r.FileSystem}
}

// seen is the log as the file system sees it.
func (r *rig) seen() writeback.Log {
	if r.before == nil {
		return r.log
	}
	return r.before(r.log)
}

// T is the test for nfstest.
func (r *rig) T() nfstest.T { return r.TB.(nfstest.T) }

// end ends it before the test does, of which it was one of many: it keeps no memory.
func (r *rig) end() {
	r.kill()
	*r = rig{TB: r.TB, kill: func() {}}
}

// restart ends this life as a kill does, and begins the next.
func (r *rig) restart() {
	r.Helper()
	r.kill()
	r.start()
}

// drain waits until the filer has everything.
func (r *rig) drain() {
	r.Helper()
	if err := r.array.Drain(r.Context()); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) write(h nfs.Handle, off uint64, p []byte) nfs.WriteResult {
	r.Helper()
	w := r.root.Write(h, off, nfs.Unstable, p)
	if w.Status != nfs.OK || w.Count != uint32(len(p)) || w.Committed != nfs.FileSync {
		r.Fatalf("WRITE: %v, %d bytes, %d", w.Status, w.Count, w.Committed)
	}
	return w
}

func (r *rig) expect(h nfs.Handle, want []byte) {
	r.Helper()
	got := r.root.Read(h, 0, uint32(len(want)+10))
	if got.Status != nfs.OK || !bytes.Equal(got.Data, want) || !got.EOF {
		r.Fatalf("READ: %v, %d bytes %.20q, EOF %t; want %d bytes %.20q", got.Status, len(got.Data), got.Data, got.EOF, len(want), want)
	}
}
