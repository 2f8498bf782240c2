package ram

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"forebay/cachecore"
)

// Store keeps blocks of any number of objects in one piece of memory. It is safe for concurrent use. It knows nothing of what the array
// holds: that what it keeps is true is its users' to see to (cachecore/volume).
type Store struct {
	mem    []byte // of the blocks
	shards []shard
	slots  uint32 // of each shard there is room for
	seed   uint64

	layout layout
	space  *space // nil: the memory is another's
	size   atomic.Int64

	turn   chan struct{} // of who resizes or ends it
	closed bool          // turn guards it
}

// ErrTooSmall: less memory than one run.
var ErrTooSmall = errors.New("a store needs 64 KiB at least")

const (
	maxShards = 64
	minSlots  = 1024 // of a shard at the start, where there is more than one

	// MaxRead is the longest ReadNow in bytes.
	MaxRead = 4 << 20
)

// NewStore makes a store of mem (Arena.Take), which is its own from then on. It may use less of it for a while, but gives nothing back.
func NewStore(mem []byte) (*Store, error) { return newStore(mem, newS3FIFO, rand.Uint64()) }

func newStore(mem []byte, newPolicy func(*shard) policy, seed uint64) (*Store, error) {
	l, err := layoutFor(int64(len(mem)), int64(len(mem)), cachecore.BlockSize) // no page of it is ever given back
	if err != nil {
		return nil, err
	}
	s := &Store{mem: mem, layout: l, seed: seed}
	s.build(l.heapIndex(), uint32(l.stride), newPolicy)
	return s, nil
}

// NewResizable makes a store that has memory of its own, and may get most bytes of it. Where so much address space is not to be had it is content with
// less.
func NewResizable(bytes, most int64) (*Store, error) {
	most = max(bytes, most)
	if !reserving {
		most = min(most, 2*bytes)
	}
	s, err := reserve(bytes, most, systemPage())
	if err != nil && most > bytes {
		s, err = reserve(bytes, bytes, systemPage())
	}
	if err != nil {
		return nil, fmt.Errorf("arena of %d bytes: %w", bytes, err)
	}
	return s, nil
}

func reserve(bytes, most int64, p page) (*Store, error) {
	l, err := layoutFor(bytes, most, p)
	if err != nil {
		return nil, err
	}
	space, err := newSpace(l.bytes(), p)
	if err != nil {
		return nil, err
	}
	s := &Store{mem: space.mem[:l.blocks()], space: space, layout: l, seed: rand.Uint64()}
	slots := uint32(bytes / cachecore.BlockSize / int64(l.shards))
	for i := range l.shards {
		if err := l.ranges(i, 0, slots, space.use); err != nil {
			return nil, errors.Join(err, space.unmap())
		}
	}
	s.build(space.mem[l.blocks():], slots, newS3FIFO)
	return s, nil
}

// Locked returns why not all pages of its own memory are locked, or nil, as Arena.Locked does. A Resize may change that.
func (s *Store) Locked() error {
	if s.space == nil {
		return nil
	}
	return s.space.lockErr.get()
}

// layoutFor has as many shards as are good for the size at the start.
func layoutFor(bytes, most int64, p page) (layout, error) {
	slots := bytes / cachecore.BlockSize
	if slots < RunBlocks {
		return layout{}, ErrTooSmall
	}
	n := int64(1)
	for n < maxShards && slots/(2*n) >= minSlots {
		n *= 2
	}
	each := int(most / cachecore.BlockSize / n)
	l := layout{shards: int(n), stride: p.up(each*cachecore.BlockSize) / cachecore.BlockSize, page: p}
	if l.shards*l.stride >= 1<<32-1 {
		return layout{}, errors.New("a store of more than 16 TiB")
	}
	return l, nil
}

func (s *Store) build(index []byte, slots uint32, newPolicy func(*shard) policy) {
	s.shards, s.slots, s.turn = make([]shard, s.layout.shards), uint32(s.layout.stride), make(chan struct{}, 1)
	for i := range s.shards {
		x := s.layout.carve(index[i*s.layout.index():])
		s.shards[i].init(x, uint32(i)*s.slots, slots, mix(s.seed+uint64(i)), newPolicy)
	}
	s.count()
}

func (s *Store) shardOf(k key) *shard {
	return &s.shards[mix(uint64(k>>runBits)^s.seed)&uint64(len(s.shards)-1)]
}

// bytes is the content of a slot, by its store-wide number, and of those behind it.
func (s *Store) bytes(slot uint32, n int) []byte {
	from := int(slot) * cachecore.BlockSize
	return s.mem[from : from+n*cachecore.BlockSize : from+n*cachecore.BlockSize]
}

// ReadNow appends n bytes at off to sink if the store has all of them, else appends nothing and says false. It allocates nothing.
func (s *Store) ReadNow(obj cachecore.ObjectID, off int64, n int, sink cachecore.Sink) bool {
	if off < 0 || n <= 0 || n > MaxRead {
		return false
	}
	first := off / cachecore.BlockSize
	blocks := int((off+int64(n)-1)/cachecore.BlockSize-first) + 1
	k, ok := keyOf(obj, cachecore.Block(first), uint64(blocks))
	if !ok {
		return false
	}
	start := int(off % cachecore.BlockSize)
	if blocks <= RunBlocks+1 {
		var slots [RunBlocks + 1]uint32
		return s.read(k, slots[:blocks], start, n, sink)
	}
	var slots [MaxRead/cachecore.BlockSize + 1]uint32
	return s.read(k, slots[:blocks], start, n, sink)
}

func (s *Store) read(k key, slots []uint32, start, n int, sink cachecore.Sink) bool {
	for done := 0; done < len(slots); {
		part := slots[done:min(len(slots), done+(k+key(done)).inRun())]
		if !s.shardOf(k+key(done)).pin(k+key(done), part) {
			for _, slot := range slots[:done] {
				s.Release(tokenOf(slot, 1))
			}
			return false
		}
		done += len(part)
	}
	for len(slots) > 0 {
		next := s.adjacent(slots)
		p := s.bytes(slots[0], next)[start:]
		p = p[:min(len(p), n)]
		sink.Add(p, s, tokenOf(slots[0], next))
		slots, start, n = slots[next:], 0, n-len(p)
	}
	return true
}

// adjacent counts the slots at the head that lie one behind the other, in one shard: they make one piece.
func (s *Store) adjacent(slots []uint32) int {
	n := 1
	for n < len(slots) && slots[n] == slots[n-1]+1 && slots[n]%s.slots != 0 {
		n++
	}
	return n
}

// A token names pinned slots: the first one's number and how many.
func tokenOf(slot uint32, n int) uint64 { return uint64(n)<<32 | uint64(slot) }

// Release implements cachecore.Releaser for what ReadNow appended.
func (s *Store) Release(token uint64) {
	slot, n := uint32(token), int(token>>32)
	s.shards[slot/s.slots].unpin(slot%s.slots, n)
}
