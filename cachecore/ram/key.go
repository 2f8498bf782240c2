package ram

import "forebay/cachecore"

// A key names a block: 28 bits of object and 36 of block, which is 256 TiB an object. What has no key is not cached.
type key uint64

const (
	blockBits  = 36
	objectBits = 64 - blockBits

	// LastObject is the largest ObjectID of which anything is cached.
	LastObject = cachecore.ObjectID(1<<objectBits - 1)

	// RunBlocks is how many blocks a run has.
	RunBlocks = 16
	runBits   = 4
)

// none is no slot.
const none = ^uint32(0)

// keyOf is the key of the first of n blocks; false if one of them has none.
func keyOf(obj cachecore.ObjectID, first cachecore.Block, n uint64) (key, bool) {
	const end = 1 << blockBits
	if uint64(obj) >= 1<<objectBits || uint64(first) >= end || n > end-uint64(first) {
		return 0, false
	}
	return key(obj)<<blockBits | key(first), true
}

// block is its number.
func (k key) block() cachecore.Block { return cachecore.Block(k & (1<<blockBits - 1)) }

// object is whose block it is.
func (k key) object() cachecore.ObjectID { return cachecore.ObjectID(k >> blockBits) }

// inRun is how many blocks of its run come from k on, itself included.
func (k key) inRun() int { return RunBlocks - int(k&(RunBlocks-1)) }

// mix spreads a number over 64 bits (the finalizer of MurmurHash3). Seeded, so that nobody outside can choose what collides.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// within scales 32 bits of hash to [0, n).
func within(h uint32, n int) uint32 { return uint32(uint64(h) * uint64(n) >> 32) }
