package ram

import "math/bits"

// The hash table of a shard has as many buckets as the shard has slots, and grows and shrinks by one at a time (linear hashing, Litwin, VLDB 1980): a
// key's bucket is that many low bits of a hash as number all buckets, or, where there is none yet, one bit less. So bucket n is split off from, and
// goes back to, the one that is n without its highest bit. The locks are held in all of it.

func (sh *shard) hash(k key) uint64 { return mix(uint64(k) ^ sh.seed) }

// bucketOf puts the blocks of a run into buckets that lie side by side, in an order of the run's own: what reads several touches one cache line of them.
func (sh *shard) bucketOf(k key) uint32 {
	at := (uint32(mix(uint64(k>>runBits)^sh.seed)>>32) ^ uint32(k&(RunBlocks-1))) & sh.mask
	if at >= sh.filed {
		at &= sh.mask >> 1
	}
	return at
}

// find returns the slot of a key, hidden or not.
func (sh *shard) find(k key) uint32 {
	slot := sh.buckets[sh.bucketOf(k)]
	for slot != none && sh.keys[slot] != uint64(k) {
		slot = sh.chain[slot]
	}
	return slot
}

// holds says whether a slot is cached. What it was says nothing: the key of one that is not stays.
func (sh *shard) holds(slot uint32) bool { return sh.find(key(sh.keys[slot])) == slot }

// link puts a slot into the hash table.
func (sh *shard) link(slot uint32) {
	bucket := &sh.buckets[sh.bucketOf(key(sh.keys[slot]))]
	sh.chain[slot], *bucket = *bucket, slot
	sh.cached++
}

// unlink takes a slot out of the hash table.
func (sh *shard) unlink(slot uint32) {
	at := &sh.buckets[sh.bucketOf(key(sh.keys[slot]))]
	for *at != slot {
		at = &sh.chain[*at]
	}
	*at = sh.chain[slot]
	sh.cached--
}

// setBuckets makes a table that is empty one of n buckets, which are.
func (sh *shard) setBuckets(n uint32) {
	sh.filed, sh.mask = n, 1<<bits.Len32(n-1)-1
}

// split adds a bucket.
func (sh *shard) split() {
	to := sh.filed
	sh.setBuckets(to + 1)
	at := &sh.buckets[to&(sh.mask>>1)]
	sh.buckets[to] = none
	for *at != none {
		slot := *at
		if sh.bucketOf(key(sh.keys[slot])) != to {
			at = &sh.chain[slot]
			continue
		}
		*at = sh.chain[slot]
		sh.chain[slot], sh.buckets[to] = sh.buckets[to], slot
	}
}

// merge takes the last bucket away.
func (sh *shard) merge() {
	from := sh.filed - 1
	at := &sh.buckets[from&(sh.mask>>1)]
	for *at != none {
		at = &sh.chain[*at]
	}
	*at = sh.buckets[from]
	sh.setBuckets(from)
}
