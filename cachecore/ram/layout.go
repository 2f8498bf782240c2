package ram

import (
	"sync/atomic"
	"unsafe"

	"forebay/cachecore"
)

// layout says where in the memory of a store things lie: the blocks, those of a shard in one piece, and behind them the index, for each shard the
// arrays of indexEntries. All have room for stride slots of each shard, of which the first are in use. The blocks of each shard and each array begin with
// a page: what one gives back with its last slots has nothing of another.
type layout struct {
	shards, stride int
	page           page
}

// indexEntries are the sizes of what the index has of each slot.
var indexEntries = [...]int{8, 4, 4, 4, 4, 4, 4}

// entryBytes is their sum.
const entryBytes = 32

func (l layout) blocks() int { return l.shards * l.stride * cachecore.BlockSize }

// index is the size of a shard's.
func (l layout) index() (bytes int) {
	for _, entry := range indexEntries {
		bytes += l.page.up(entry * l.stride)
	}
	return bytes
}

func (l layout) bytes() int { return l.blocks() + l.shards*l.index() }

// ranges are the parts of the memory that slots of a shard have.
func (l layout) ranges(shard int, from, to uint32, f func(from, to int) error) error {
	base := shard * l.stride * cachecore.BlockSize
	if err := f(base+int(from)*cachecore.BlockSize, base+int(to)*cachecore.BlockSize); err != nil {
		return err
	}
	base = l.blocks() + shard*l.index()
	for _, entry := range indexEntries {
		if err := f(base+int(from)*entry, base+int(to)*entry); err != nil {
			return err
		}
		base += l.page.up(entry * l.stride)
	}
	return nil
}

// index is what a shard knows of each slot. None of its arrays ever moves or changes its length: refs are used without a lock.
type index struct {
	buckets []uint32 // first slot of each
	keys    []uint64
	chain   []uint32 // next slot of the same bucket
	meta    []uint32 // the policy's, and hidden
	refs    []atomic.Uint32
	links
}

// carve makes an index of memory of that many bytes, which is not touched.
func (l layout) carve(mem []byte) (x index) {
	take := func(entry int) unsafe.Pointer {
		p := mem[:entry*l.stride]
		mem = mem[l.page.up(len(p)):]
		return unsafe.Pointer(unsafe.SliceData(p))
	}
	x.keys = unsafe.Slice((*uint64)(take(8)), l.stride)
	for _, array := range []*[]uint32{&x.buckets, &x.chain, &x.meta, &x.next, &x.prev} {
		*array = unsafe.Slice((*uint32)(take(4)), l.stride)
	}
	x.refs = unsafe.Slice((*atomic.Uint32)(take(4)), l.stride)
	return x
}

// heapIndex is memory for the indexes of all shards, on the heap.
func (l layout) heapIndex() []byte {
	words := make([]uint64, l.shards*l.index()/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
}
