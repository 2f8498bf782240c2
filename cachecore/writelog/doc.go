// Package writelog is the ordered, durable log of the writes that have been acknowledged and that the array does not have yet. One log is on one
// device and holds the records of many shards. It knows nothing of replication, of destaging or of policies: it appends, reads back, forgets what it
// is told to forget, and says truthfully what it still has after a crash. FORMAT.md beside the code has the bytes.
//
// # Nouns
//
// A record is one change of a client: some bytes of an object of a shard. A shard's records have numbers without a gap. A frame is what one write
// to the device makes durable: the records that came in while the frame before was being written (group commit). Frames are numbered, and each has
// the checksum of the one before. A segment is a stretch of the device that frames are written into, one after the other; segments are used in turn,
// as a ring. A block is 4 KiB of a frame with a checksum of its own, over its bytes and over where they belong.
//
// # The life of a record
//
//	queued   Append has taken it; it counts against Space
//	durable  its frame is; done has been called
//	dead     trimmed, void, or followed by a new beginning of its shard; its bytes stay until the segment is used again
//	moved    alive in the oldest segment when segments got short: copied to the newest, and dead where it was
//
// What is known of a shard in few words, its marks, is in the table at the start of every segment. So the oldest segments can be used again, with the
// trims and voids that they told, as soon as no record in them is alive and a frame elsewhere has said so.
//
// # What may never happen
//
//   - A record is missing after a crash though done was called without an error and it was not trimmed; or it is there with a hole before it.
//   - Bytes are served that are not the ones that were appended. Every block is verified each time that it is read. A checksum covers the
//     incarnation, the session, the segment's number and the address, so that stale and misdirected blocks fail it as rotten ones do.
//   - Something unreadable is passed over silently. The log ends at the first bad frame n if no readable frame says that n was durable (PROTOCOL F1): that is
//     what a power cut leaves of a write that was never answered. Otherwise it is damage (F2), which concerns the shards of the frame, as far as
//     they can be known: the frame behind it names them. Where they can't, every shard is in doubt that doesn't prove to be whole.
//   - A device that has failed a write is written again. The log fails for good, with all that is in its queue.
//
// # Concurrency
//
// One writes at a time: the log's goroutine, or whoever makes a Kick. Only who has that turn changes marks, segments and the ends of the ring, under the
// mutex, and tells of what is durable; appenders change the queue and what they may append next. The mutex is held for bookkeeping only, never over I/O nor
// while a caller's function runs, and no other lock is taken under it. A reader pins its segment, and the writer waits for readers before it uses a segment's
// place again.
package writelog
