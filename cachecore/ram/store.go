package ram

import (
	"context"
	"errors"
	"math/rand/v2"

	"forebay/cachecore"
)

// Store keeps blocks of any number of objects in one piece of memory. It is safe for concurrent use. It knows nothing of what the array
// holds: that what it keeps is true is its users' to see to (cachecore/volume).
//
// Its size is fixed. A tier that grows becomes a second store; one that is withdrawn is closed.
type Store struct {
	mem    []byte
	shards []shard
	slots  uint32 // of each shard
	seed   uint64
}

// ErrTooSmall: less memory than one run.
var ErrTooSmall = errors.New("a store needs 64 KiB at least")

const (
	maxShards = 64
	minSlots  = 1024 // of a shard, where there is more than one

	// MaxRead is the longest ReadNow in bytes.
	MaxRead = 4 << 20
)

// NewStore makes a store of mem (Arena.Take), which is its own from then on.
func NewStore(mem []byte) (*Store, error) { return newStore(mem, newS3FIFO, rand.Uint64()) }

func newStore(mem []byte, newPolicy func(*shard) policy, seed uint64) (*Store, error) {
	slots := len(mem) / cachecore.BlockSize
	if slots < RunBlocks {
		return nil, ErrTooSmall
	}
	if slots >= 1<<32-1 {
		return nil, errors.New("a store of more than 16 TiB")
	}
	n := 1
	for n < maxShards && slots/(2*n) >= minSlots {
		n *= 2
	}
	s := &Store{mem: mem, shards: make([]shard, n), slots: uint32(slots / n), seed: seed}
	for i := range s.shards {
		s.shards[i].init(uint32(i)*s.slots, int(s.slots), mix(s.seed+uint64(i)), newPolicy)
	}
	return s, nil
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

// Close drops everything, takes nothing any more, and waits until the last pin and Batch is given back or ctx ends. After nil the memory
// is the caller's again. It is called once.
func (s *Store) Close(ctx context.Context) error {
	for i := range s.shards {
		s.shards[i].close()
	}
	for i := range s.shards {
		select {
		case <-s.shards[i].idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (sh *shard) close() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.scan(0, len(sh.buckets), sh.drop)
	sh.closed = true
	if sh.out == 0 {
		close(sh.idle)
	}
}
