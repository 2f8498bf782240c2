package volume

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// What several may see of a volume that they share is checked here: a read returns of each logical block one version, whatever the array returns to who
// reads beside a write, and one that is not older than the last one that was acknowledged before the read was sent, nor older than what a read had returned by then.

const (
	sector = 512
	// Regions are written by one writer each, so that the versions of a logical block are in order. They are no multiples of blocks: most
	// blocks have several writers.
	regionSectors = 11
	writers       = 3
	readers       = 4
)

// history is of one logical block. Version 0 is what the array had.
type history struct {
	mu          sync.Mutex
	zero        []bool // by version: it is zeros
	acked, seen int
}

// send begins the next version.
func (h *history) send(zero bool) (version int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.zero = append(h.zero, zero)
	return len(h.zero) - 1
}

func (h *history) answered(version int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked = version
}

// oldest is the oldest version that a read which is sent now may return.
func (h *history) oldest() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.acked, h.seen)
}

// saw notes what a read returned. Zeros are taken for the oldest version that they may be.
func (h *history) saw(p []byte, number int64, oldest int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	version := int(binary.LittleEndian.Uint64(p[8:]))
	if version == 0 {
		for version = oldest; version < len(h.zero) && !h.zero[version]; version++ {
		}
	}
	switch {
	case version >= len(h.zero):
		return fmt.Errorf("logical block %d: nothing after version %d was zeros", number, oldest)
	case !bytes.Equal(p, contentOf(number, version, h.zero[version])):
		return fmt.Errorf("logical block %d: what was read is nothing that was written", number)
	case version < oldest:
		return fmt.Errorf("logical block %d: version %d was read, version %d was known", number, version, oldest)
	}
	h.seen = max(h.seen, version)
	return nil
}

func contentOf(number int64, version int, zero bool) []byte {
	p := make([]byte, sector)
	for i := 0; i < sector && !zero; i += 16 {
		binary.LittleEndian.PutUint64(p[i:], uint64(number))
		binary.LittleEndian.PutUint64(p[i+8:], uint64(version))
	}
	return p
}

// shared is a volume that several use at once.
type shared struct {
	*rig
	histories []history
	random    func(n int) int // for the array
	pause     func(int)       // lets some time pass
	faults    int             // percent of operations
	enders    sync.WaitGroup  // of contexts
}

func newShared(t tester, seed uint64, w wishes) *shared {
	s := &shared{rig: newRig(t, w), histories: make([]history, 400*blk/sector), faults: int(seed % 3 * 4)}
	for i := range s.histories {
		s.histories[i].zero = []bool{true}
	}
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0))
	s.random = func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
	s.intercept(s.disturb)
	return s
}

// disturb takes its time, and fails some operations: those that change something with their outcome unknown, mostly.
func (s *shared) disturb(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
	s.pause(s.random(4))
	if s.random(100) >= s.faults {
		return nil
	}
	switch failure := s.random(4); {
	case failure == 0 && at == arraytest.Before:
		return cachecore.ErrUnavailable
	case failure == 1:
		return errors.New("medium error")
	case op.Kind != arraytest.Read:
		return cachecore.ErrUnknownOutcome
	}
	return nil
}

// context is one that ends before its call, sometimes.
func (s *shared) context(r *rand.Rand) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if r.IntN(12) == 0 {
		after := r.IntN(8)
		s.enders.Go(func() {
			s.pause(after)
			cancel()
		})
	}
	return ctx, cancel
}

// write writes part of one of its writer's regions.
func (s *shared) write(r *rand.Rand, writer int) {
	regions := int(s.mem.Info().Size / sector / regionSectors)
	region := r.IntN((regions-1-writer)/writers+1)*writers + writer
	first := r.IntN(regionSectors)
	n := 1 + r.IntN(regionSectors-first)
	first += region * regionSectors
	zero := r.IntN(6) == 0
	versions, p := make([]int, n), []byte(nil)
	for i := range n {
		versions[i] = s.histories[first+i].send(zero)
		p = append(p, contentOf(int64(first+i), versions[i], zero)...)
	}
	ctx, cancel := s.context(r)
	defer cancel()
	var err error
	switch off, n := int64(first*sector), int64(n*sector); {
	case !zero:
		err = s.Write(ctx, p, off, r.IntN(2) == 0)
	case r.IntN(2) == 0:
		err = s.WriteZeroes(ctx, off, n)
	default:
		err = s.Discard(ctx, off, n, true)
	}
	if err == nil {
		for i, version := range versions {
			s.histories[first+i].answered(version)
		}
	}
}

// read reads a range, and looks at it now and when others have gone on.
func (s *shared) read(r *rand.Rand) {
	total := int(s.mem.Info().Size / sector)
	first := r.IntN(total)
	n := 1 + r.IntN(min(total-first, 8*(1+r.IntN(20))))
	oldest := make([]int, n)
	for i := range oldest {
		oldest[i] = s.histories[first+i].oldest()
	}
	ctx, cancel := s.context(r)
	defer cancel()
	var c collected
	defer c.release()
	if s.Read(ctx, &c, int64(first*sector), n*sector) != nil {
		return
	}
	got := c.bytes()
	for i, o := range oldest {
		if err := s.histories[first+i].saw(got[i*sector:][:sector], int64(first+i), o); err != nil {
			s.t.Error(err)
			return
		}
	}
	s.pause(r.IntN(4))
	if !bytes.Equal(got, c.bytes()) {
		s.t.Errorf("pinned bytes have changed")
	}
}

// disrupt drops what is cached now and then, and makes the array larger.
func (s *shared) disrupt(r *rand.Rand) {
	s.pause(r.IntN(30))
	if r.IntN(2) == 0 {
		s.Drop()
	} else if size := s.mem.Info().Size + int64(1+r.IntN(20))*sector; size <= int64(len(s.histories)*sector) {
		s.mem.Grow(size)
	}
}

// run lets all of them make so many calls each. In the end what is cached is what the array has.
func (s *shared) run(seed uint64, calls int) {
	var all sync.WaitGroup
	for i := range writers + readers + 1 {
		r := rand.New(rand.NewPCG(seed, uint64(i+1)))
		all.Go(func() {
			for range calls {
				switch {
				case i < writers:
					s.write(r, i)
				case i < writers+readers:
					s.read(r)
				case r.IntN(20) == 0:
					s.disrupt(r)
				}
			}
		})
	}
	all.Wait()
	s.enders.Wait()
	s.intercept(nil)
	size := s.mem.Info().Size
	want := make([]byte, blk)
	for off := int64(0); off < size; off += blk {
		want = want[:min(blk, size-off)]
		if err := s.mem.ReadAt(context.Background(), want, off); err != nil {
			s.t.Fatal(err)
		}
		if got := s.now(off, len(want)); got != nil && !bytes.Equal(got, want) {
			s.t.Errorf("the cache has other bytes at %d than the array", off)
		}
		s.mustRead(off, want)
	}
}

// torn is an array that gives who reads beside a write of the same logical block neither what was there nor what comes, as files do of which a page is
// copied in and out at once.
type torn struct {
	*arraytest.Mem
	mu    sync.Mutex
	under []*transfer
}

// transfer is a read or a change under way.
type transfer struct {
	off, n int64
	read   bool
	beside []*transfer // changes under way at the same time, of a read
}

func (a *torn) begin(t *transfer) *transfer {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.under {
		switch {
		case t.read && !other.read:
			t.beside = append(t.beside, other)
		case other.read && !t.read:
			other.beside = append(other.beside, t)
		}
	}
	a.under = append(a.under, t)
	return t
}

func (a *torn) end(t *transfer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.under = slices.DeleteFunc(a.under, func(other *transfer) bool { return other == t })
}

func (a *torn) ReadAt(ctx context.Context, p []byte, off int64) error {
	t := a.begin(&transfer{off: off, n: int64(len(p)), read: true})
	err := a.Mem.ReadAt(ctx, p, off)
	a.end(t)
	for _, other := range t.beside {
		for at := max(off, other.off); at < min(off+t.n, other.off+other.n); at += sector {
			p[at-off+sector/2] ^= 0xff
		}
	}
	return err
}

func (a *torn) change(off, n int64, call func() error) error {
	defer a.end(a.begin(&transfer{off: off, n: n}))
	return call()
}

func (a *torn) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	return a.change(off, int64(len(p)), func() error { return a.Mem.WriteAt(ctx, p, off, o) })
}

func (a *torn) Unmap(ctx context.Context, off, n int64) error {
	return a.change(off, n, func() error { return a.Mem.Unmap(ctx, off, n) })
}

func (a *torn) WriteZeroes(ctx context.Context, off, n int64, unmap bool) error {
	return a.change(off, n, func() error { return a.Mem.WriteZeroes(ctx, off, n, unmap) })
}

func sharedWishes(seed uint64) wishes {
	w := wishes{info: cachecore.ArrayInfo{Size: 64*blk + 3*sector, Thin: true, UnmapZeroes: true}, buffers: 2 * mib}
	w.blocks = []int{16, 48, 1024}[seed%3]
	w.array = func(m *arraytest.Mem) cachecore.Array {
		a := &torn{Mem: m}
		if seed%2 == 0 {
			return a
		}
		return struct{ cachecore.Array }{a} // without WriteZeroes
	}
	return w
}

// In a bubble every operation of the array takes a while of the bubble's time, so that calls meet in all stages.
func TestSharedReadersSeeNothingOlderThanWhatIsKnown(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShared(t, seed, sharedWishes(seed))
				s.pause = func(ms int) { time.Sleep(time.Duration(ms) * time.Millisecond) }
				s.run(seed, 150)
			})
		})
	}
}

// Outside of one the operations take no time, and what meets is the code between them.
func TestSharedReadersSeeNothingOlderThanWhatIsKnownAtFullSpeed(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := newShared(t, seed, sharedWishes(seed))
			s.pause = func(n int) {
				for range n {
					runtime.Gosched()
				}
			}
			s.run(seed, 1500)
		})
	}
}
