package writeback

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/ram"
)

const (
	mib = 1 << 20
	blk = cachecore.BlockSize
)

// rig is an array with a log in memory, over an array in memory; its destager runs from the first call of run on.
type rig struct {
	*Array
	t      testing.TB
	mem    *arraytest.Mem
	log    *memLog
	ledger *ledger
	news   *news
	end    func()
}

// news takes an array's log lines, each of which tells that something has changed.
type news struct {
	mu   sync.Mutex
	more chan struct{} // closed and replaced with every line
}

func (n *news) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.more)
	n.more = make(chan struct{})
	return len(p), nil
}

// next is closed with the next line.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.more
}

// ledger is a Ledger in memory.
type ledger struct {
	mu    sync.Mutex
	epoch cachecore.Epoch
	fail  error
}

func (l *ledger) Raise(context.Context) (cachecore.Epoch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, l.fail
	}
	l.epoch++
	return l.epoch, nil
}

func (l *ledger) base() cachecore.Epoch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

func newRig(t testing.TB, m Mode, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, mem: arraytest.NewMem(cachecore.ArrayInfo{Size: 64 * mib, WriteCache: true, Thin: true, UnmapZeroes: true}),
		log: &memLog{capacity: 256 * mib}, ledger: &ledger{epoch: 1}, news: &news{more: make(chan struct{})}}
	r.restart(m, change...)
	return r
}

// restart is the next life: what the log has and the array has not is given to it.
func (r *rig) restart(m Mode, change ...func(*Options)) {
	r.t.Helper()
	arena, err := ram.NewArena(64 * mib)
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{Array: r.mem, Log: r.log, Buffers: ram.NewBuffers(arena.Take(64 * mib)), Ledger: r.ledger, Shard: 7, Durable: true, Seq: r.log.last(),
		Logger: zerolog.New(r.news)}
	r.ledger.mu.Lock()
	r.ledger.epoch++
	o.Epoch = r.ledger.epoch
	r.ledger.mu.Unlock()
	for _, f := range change {
		f(&o)
	}
	r.Array = New(o, m)
	r.log.replay(0, r.Array)
}

// run starts the destager.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		r.Run(ctx)
		close(ended)
	}()
	r.end = func() {
		cancel()
		<-ended
		r.end = func() {}
	}
	r.t.Cleanup(func() { r.end() })
}

func (r *rig) write(off int64, p []byte) {
	r.t.Helper()
	if err := r.WriteAt(r.t.Context(), p, off, cachecore.WriteOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) expect(off int64, want []byte) {
	r.t.Helper()
	got := make([]byte, len(want))
	if err := r.ReadAt(r.t.Context(), got, off); err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		r.t.Fatalf("%d bytes at %d are others: %q..., want %q...", len(want), off, got[:8], want[:8])
	}
}

// onArray is what the array itself has.
func (r *rig) onArray(off int64, want []byte) {
	r.t.Helper()
	got := make([]byte, len(want))
	if err := r.mem.ReadAt(r.t.Context(), got, off); err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		r.t.Fatalf("the array has other bytes at %d: %q..., want %q...", off, got[:8], want[:8])
	}
}

// settled waits until the array has everything.
func (r *rig) settled() {
	r.t.Helper()
	if err := r.sync(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// becomes waits for a mode, which the array logs when it has changed.
func (r *rig) becomes(m Mode) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		next := r.news.next()
		if r.state() == m {
			return
		}
		select {
		case <-next:
		case <-deadline:
			r.t.Fatalf("it stays %v", r.state())
		}
	}
}

func of(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

func flushes(op arraytest.Op) bool { return op.Kind == arraytest.Flush }
