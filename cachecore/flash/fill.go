package flash

import "sync"

// fill is the writing side: which slots are free, what is being filled, what waits to be written, and what is stored, oldest first. Its lock
// comes before a shard's and is not held over I/O.
type fill struct {
	s *Store

	mu       sync.Mutex
	free     []uint32   // slots whose content is gone, durably
	idle     []*buffer  // not in use
	current  *builder   // nil: none, or no room for one
	sealed   []*builder // to be written, in order
	stored   []uint32   // slots, by the number of their region
	next     seq        // of the next region
	limit    uint32     // slots from here on are not to be used (Resize)
	budget   budget
	closing  bool
	crowded  bool          // a region is to go, so that the objects that are only there have room for others
	writing  bool          // a flush is under way
	evicting bool          // a reclaim is under way
	changed  chan struct{} // closed and made anew when a region is stored, or freed

	moving chan struct{} // held by whoever takes regions out of stored, over I/O; not needed to serve anything
}

const (
	buffers  = 3 // one is filled, one is written, one is read yet
	spareFor = 1 // free slots that are kept for what is written again
)

func (f *fill) init(s *Store) {
	f.s = s
	f.changed = make(chan struct{})
	f.moving = make(chan struct{}, 1)
	f.budget = newBudget(s.options.BytesPerDay, int64(s.layout.dataBlocks())*blockSize)
}

// SetBytesPerDay takes the place of Options.BytesPerDay.
func (s *Store) SetBytesPerDay(n int64) {
	s.fill.mu.Lock()
	defer s.fill.mu.Unlock()
	s.fill.budget.change(n, int64(s.layout.dataBlocks())*blockSize)
}

// take is a buffer's way home.
func (f *fill) take(b *buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, b)
}

// news tells those who wait for a region to be stored or freed. mu is held.
func (f *fill) news() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// origin is where content comes from that is to be written.
type origin int

const (
	missed    origin = iota // it was wanted from here (Prepare)
	brought                 // it is hot elsewhere (PrepareHot)
	rewritten               // an old region
)

// reserved is room for a piece in a builder.
type reserved struct {
	b  *builder
	at uint32 // block of the region
	sh *shard
	id uint32
}

// reserve makes room for blocks of a line, and a piece that nobody finds yet.
func (f *fill) reserve(sh *shard, object, line uint32, want blocks, from origin) (reserved, bool) {
	n := uint32(popcount(want))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || f.s.health.down.Load() {
		return reserved{}, false
	}
	b := f.open(object, n, from)
	if b == nil {
		f.s.count.refusedBusy.Add(uint64(n))
		return reserved{}, false
	}
	if !f.budget.affords(int64(n)*blockSize, from) {
		f.s.count.unaffordable(n, from)
		return reserved{}, false
	}
	at := b.used
	id, ok := f.enter(sh, object, line, f.s.layout.block(b.slot, at), want)
	if !ok {
		f.s.count.refusedIndex.Add(uint64(n))
		f.evict()
		return reserved{}, false
	}
	f.budget.spend(int64(n) * blockSize)
	b.take(object, n, placed{sh, id})
	f.s.count.admit(n, from)
	return reserved{b: b, at: at, sh: sh, id: id}, true
}

// enter appends a piece to the index.
func (f *fill) enter(sh *shard, object, line, block uint32, want blocks) (uint32, bool) {
	if !f.s.objects.hold(object, 1) {
		return none, false
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	id, ok := sh.append(object, line, block, want)
	if !ok {
		f.s.objects.release(object, 1)
	}
	return id, ok
}

// open returns a builder that has room, or nil.
func (f *fill) open(object, n uint32, from origin) *builder {
	if b := f.current; b != nil {
		if b.used+n <= f.s.layout.dataBlocks() && b.room >= b.needs(object, n) {
			return b
		}
		f.seal()
	}
	f.evict()
	spare := spareFor
	if from == rewritten {
		spare = 0
	}
	if len(f.idle) == 0 || len(f.free) <= spare {
		return nil
	}
	f.current = f.begin()
	return f.current
}

// begin takes a slot and a buffer.
func (f *fill) begin() *builder {
	slot, buf := f.free[0], f.idle[len(f.idle)-1]
	f.free, f.idle = f.free[1:], f.idle[:len(f.idle)-1]
	b := &builder{region: f.s.region(slot), slot: slot, seq: f.next, buf: buf, objects: make(map[uint32]struct{})}
	b.room = int(f.s.layout.footerBlocks)*blockSize - footerHeadBytes
	f.next++
	buf.refs.Store(1)
	b.region.mu.Lock()
	b.region.seq, b.region.buf = b.seq, buf
	b.region.mu.Unlock()
	f.watch(b)
	return b
}

// seal ends the filling of the current builder.
func (f *fill) seal() {
	f.sealed = append(f.sealed, f.current)
	f.current = nil
	f.flush()
}

// done takes a writer of a builder off: what it has reserved is published, or never will be.
func (f *fill) done(b *builder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b.writers--
	f.flush()
}

// flush has the oldest sealed region written, once nobody writes into it. Regions are written in order, one at a time.
func (f *fill) flush() {
	if f.writing || len(f.sealed) == 0 || f.sealed[0].writers > 0 || f.s.health.reason() != nil {
		return
	}
	f.writing = true
	f.s.spawn(f.s.write)
}

// evict has the oldest region reclaimed if slots or words of the index are getting short.
func (f *fill) evict() {
	if f.evicting || f.closing || len(f.stored) == 0 || !f.short() || f.s.health.down.Load() {
		return
	}
	f.evicting = true
	f.s.spawn(f.s.reclaim)
}

// short says whether a region has to go: some slots are kept free ahead of need.
func (f *fill) short() bool {
	return f.crowded || len(f.free) < max(2*spareFor, min(8, int(f.limit)/16)) || f.s.arena.low(len(f.s.shards))
}

// crowd has the oldest region go, with the objects that are in no other, unless all are in use.
func (f *fill) crowd() {
	if !f.s.objects.idle() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || f.s.health.down.Load() {
		return
	}
	f.crowded = true
	if f.current != nil && len(f.stored) == 0 && len(f.sealed) == 0 { // else there is none to go
		f.seal()
	}
	f.evict()
}
