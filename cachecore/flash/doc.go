// Package flash is the flash tier: a store of 4 KiB blocks on a device, for reads. It is warm after a restart. It knows nothing of what the
// array holds: who uses it says what is about to be written (Object.Invalidate), and brings what was read (Object.Prepare) or is read
// again and again elsewhere (Object.PrepareHot).
//
// # Nouns
//
// A line is 8 blocks of an object (32 KiB, aligned); a piece is blocks of one line that were written together. A region is an equal part
// of the device that is filled in memory, written whole, and reused whole; a slot is its place. Regions are numbered as they are begun, and the
// oldest is reused first. A footer at a region's end says what is in it. An extent is 4 MiB of an object. A mark says that after an
// unclean end nothing counts that an extent has below a region. The floor is the region below which all are gone. The ledger is where marks
// and floor are made durable. FORMAT.md has the bytes.
//
// # A region's states
//
//	free       its number, if it had one, is below the floor
//	filling    in a buffer; Prepare makes room in it, Publish makes that found
//	sealed     full, or idle while slots are plentiful; it waits for the last batch, then its data is written and synced
//	composed   its footer says what is valid of it, and is on its way
//	stored     read from the device
//	leaving    the floor is being raised over it; then what was read since it was written is written again, the rest forgotten, and when its last
//	           reader is done it is discarded and free
//
// # What may never happen
//
// A block is served that isn't what was published last: each has a CRC32C in the index, and the copy that is handed out is what was checked.
// A pinned region changes. A footer counts of which something was invalidated since, unless that is known again after any end:
//
//   - Every valid block of every footer not below the floor is found in the index, or an extent's mark above its region is durable, or whoever
//     has made it invalid still waits for that mark, and so does whoever comes to the extent after him.
//   - So the index forgets a block in five ways only: by a write, which marks; with a checksum that is wrong, which marks; with its object,
//     which marks; by another copy of it that was brought at the same time, which marks if a footer has the older; with its region, once the floor is
//     over it, or its footer erased.
//   - A mark reaches over the regions that are composed. What is invalid before a footer is composed isn't in it, and what is cached anew
//     comes into later regions: so it outlives a crash, though its extent is marked.
//   - What Open can't read, it erases, since it may be readable later, when it is stale.
//
// A clean Close writes what is valid beside each footer, and a last page of the ledger that says so; Open takes that back by a new page before it
// returns. Marks outlive a clean end: the next one may not be.
//
// # A device that fails
//
// The first error, and the first answer that takes too long, is the end: the device is asked nothing any more and everything is a miss. What it
// holds may be readable after a restart, without the marks of what is written from now on. So the first Invalidate after it has the device
// condemned, somewhere else (Options.Condemn), before it lets its write through. The same holds for a gateway that serves an object without
// this store: it takes the incarnation out of its records first, or attaches the object with a since that is later.
//
// # Locks
//
// In this order: fill, shard; then leaves: objects, arena, ledger, region, health, calls. None is held over I/O. What is held over I/O is a
// turn: of who takes regions out (fill.moving), of who condemns, of who resizes; and no Read, Prepare, Publish or Invalidate waits for the
// first and the last. A mark never waits for a region's I/O but in the device itself.
//
// Memory: three buffers of a region, the memory for reads, and the index, which is words without pointers: at most 64 bytes a line, 2 GiB
// per TiB. Lines that were written in parts take more words, up to 28 bytes a block; then the oldest regions go before the device is full.
package flash
