// Package writeback makes an array one whose writes are acknowledged by a write log, and carries the log to the array: the destager. It is a
// cachecore.Array over a cachecore.Array, and knows nothing of blocks that are cached: a volume lies over it as over any other.
//
// # Nouns
//
// A record is in the log what a call of the array would have been. Records of a shard have numbers in the order in which they are answered (PROTOCOL
// B1), so that every prefix of the log is a state that the client could have seen. An interval is a stretch of it that is carried to the array as
// one: what is written twice in it is written once, in order of address, in parallel; then the array is flushed, and only then the log trimmed (E1).
// The next interval waits for that, so the array is always in a state that the client could have seen, apart from the interval under way. An
// index says where in the log the newest content of an interval is.
//
// # States
//
//	through    a write is answered by the array; there are no records
//	back       a write is answered when the log has it
//	draining   as back, but paced below the rate of the destager, until what is left takes less than two seconds; then writes wait
//	           for the rest, and through begins (B5). The log's older records are void by then (A2)
//	dead       the log has failed, or has lost records: no write is answered until what it has is on the array; then through for good
//	lost       what the log has can't be read: nothing is answered, as the array lacks what was acknowledged
//
// # Room
//
// A full log never fails a write. From 70 % on writes are paced, to the rate of the destager at 90 %; behind that they wait for room. The room is the
// log's and, where the volume has a cap, its own share of it. Age paces too: once the oldest record that the array doesn't have is a minute old.
//
// # Ends of objects
//
// An array of objects has records of their ends, too (Objects). In an index what lies behind one takes the place of older data, and is read as zeros; data that
// come later lie over it. So an interval, and a replay as well, is carried as the lowest end, which takes away what the array had behind it, the last one, and
// then the data: doing that again ends the same.
//
// # Reads
//
// look into the intervals first, the newest first, and ask the array for what is in none, before they look into the log: what an interval says is
// pinned by then, and is not trimmed while it is read.
//
// # Locks
//
// Array.mu is a leaf but for the log's queue: a record is appended under it, so that numbers and log have the same order. No lock is held over I/O.
package writeback
