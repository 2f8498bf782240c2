// Package ram is the RAM tier: an arena outside the Go heap, a store of 4 KiB blocks in it, and a pool of I/O buffers.
//
// Nouns. A slot is one block's place in the memory. A run is 16 blocks, aligned (64 KiB); all of a run live in one shard, so that most
// reads take one lock. A shard has its own slots, index and eviction policy.
//
// A slot's states:
//
//	free      on its shard's free list
//	reserved  in a Batch: its holder fills it, nobody else knows it
//	cached    found by its key, in a queue of the policy; it may be hidden, then it is found by writers only
//	detached  no longer found, but still pinned; the last Release frees it
//
// What may never happen: a slot with pins changes its bytes or becomes free. So new content of a cached block takes a new slot, eviction
// passes over pinned slots, and what is dropped while pinned is detached first. Pins are taken under the shard's lock and given back
// without it; the count of a detached slot carries a mark that makes its last Release different from all others.
//
// A block is hot if it was read again since its content came here, whether it was read or written to come; a Walk finds those, for who keeps them elsewhere.
//
// Locks. A shard's mutex is a leaf, held for index work only: bytes are copied into reserved slots before they are published, and no
// I/O happens under it. The mutex of Buffers is a leaf as well. Whoever resizes or ends a store has its turn (Store.turn) before a shard's mutex.
//
// # Size
//
// A store of its own memory (NewResizable) reserves address space at the start: for each shard as many slots as it may ever get, in one piece, and
// arrays as long for its index. A shard uses the first of them, so that a slot is where it always was, whatever becomes of the size, and a hit computes
// nothing that it would not for a store of one size. Resize moves the end of that use in all shards alike. A slot near the end is
//
//	absent    no memory, not in the hash table's size, known to nobody
//	in use    in one of the states above
//	leaving   as in use, but it is not free or cached any more, but for a moment: what was free or cached and not pinned is gone when Resize has
//	          passed it; what is detached goes with its last Release, what is reserved with the end of its Batch, which does not publish it
//	absent    when the last that is leaving in its shard has gone: the buckets beyond are merged, the memory is given back
//
// The number of shards stays that of the start. The policy's queues stay as they are; it forgets who left lately.
//
// What may never happen: a slot with pins, or in a Batch, loses its memory; a slot that is leaving becomes free or cached, so that its shard waits for it
// for ever; memory that is absent is touched (it would end the process: better than another's bytes); a lock is held for longer than some slots take
// (step), so that hits wait; an array of the index moves, as pins are given back without a lock; a range is dropped while a block of it moves from where
// Drop has not been to where it has been: Drop goes by slots, which stay, not by buckets, which split and merge.
//
// The index costs 36 bytes a slot, in slices without pointers: the garbage collector looks neither at it nor at the arena.
//
// Under the race detector the memory lies on the heap, where the detector can see it, and what a store gives back is written over.
package ram
