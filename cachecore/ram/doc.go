// Package ram is the RAM tier: an arena outside the Go heap, a store of 4 KiB blocks in it, and a pool of I/O buffers.
//
// Nouns. A slot is one block's place in the arena. A run is 16 blocks, aligned (64 KiB); all of a run live in one shard, so that most
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
// Locks. A shard's mutex is a leaf, held for index work only: bytes are copied into reserved slots before they are published, and no
// I/O happens under it. The mutex of Buffers is a leaf as well.
//
// The index costs 36 bytes a slot, in slices without pointers: the garbage collector looks neither at it nor at the arena.
//
// Under the race detector the arena lies on the heap, where the detector can see it.
package ram
