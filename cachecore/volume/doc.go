// Package volume is the read and write path of one volume: a cachecore.Array behind, a ram.Store of clean blocks beside it, and below that a flash tier,
// if there is one. It is write-through: a write is acknowledged when the array has answered it; FUA and Flush are the array's to answer (PROTOCOL E2).
//
// # Nouns
//
// A run is 64 KiB of the object, aligned. Every run has, by its number, a stripe: a generation and a count of writers. A fill is one
// read of the array on behalf of all who wait for its blocks; it may be joined as long as the stripes of its runs stand as they stood
// before it began. A count of drops says how often what is cached was declared worthless, and whether it is being so.
//
// # A write
//
//  1. takes the range lock on its blocks, so that overlapping array writes are serialised (B7), in order of arrival;
//  2. raises the generation of its runs and enters itself as a writer (G1);
//  3. pins the cached content of blocks that it covers in part (G2), and hides all cached blocks that it covers;
//  4. has flash forget its blocks, so that no crash brings them back (G3);
//  5. asks the array;
//  6. publishes the new content in RAM if the array said yes, unless the cache was dropped meanwhile; else drops its blocks (E3);
//  7. raises the generation again and leaves; gives the range lock back; is answered.
//
// # Flash
//
// A fill reads from there what is there, and from the array the rest, which it offers to RAM and to flash under the same generations. What was
// written comes into flash when it is read again. A tier that outlives the process (Options.FlashLasts) is given only what the array can't lose
// while nobody looks (lasting), and keeps it at Close.
//
// So what stays in RAM is read from the array once and isn't in flash, though it is the hottest of all, and a restart would find it cold. To such a tier
// a walk brings what is hot in RAM, that is, was read again since it came (Preserve, which somebody calls from time to time): it goes over all slots of
// the store, some at a time, without an end; it copies nothing to flash that is there, or that a flush has yet to cover, of which there is one in a way
// round at the most; and when flash takes nothing, as its share of the day's bytes is spent, it leaves it alone for a while. It holds a shard's lock for some slots,
// no buffer, and pins of one run while that is copied. It is under the rule of fills: the generation is sampled, then the content taken from RAM, then
// published if the generation stands (G1). What is in RAM, not hidden and without a writer, is what the array has.
//
// # What a reader may see
//
// Of each logical block, the old or the new content, never a piece of each: files of which a page is copied in and out at once give that to who
// reads beside a write, and so do filers and targets over them. So a read waits for the writes under way that overlap it, in the line of the range lock, and
// mostly finds then in RAM what they have published; and a read during which such a write has begun reads again in that line (errAlone).
//
// Once one reader has seen the new content of a write, none that begins later sees the old. For this reason
//
//   - what is cached of a write's blocks is hidden, rather than left readable, until it is answered;
//   - a fill never serves a reader that comes after a write to its runs has begun or ended: it may hold what was there before;
//   - a read that begins while a write is under way in its runs, of other blocks, goes to the array alone; nobody joins it and nothing is installed;
//   - a fill installs only what no write, discard or drop has touched since before the array was asked (G1).
//
// A write of unknown outcome that may land yet is its adapter's to fence before it serves overlapping I/O (PROTOCOL D2): here its blocks are
// dropped when it is answered, and read from the array from then on.
//
// A drop is like a write of everything. A write that begins while it is under way may have found what is about to go, and publishes nothing.
//
// # An array that is away
//
// is asked again, by each call that is to be held, until the time is over. A call that is held keeps its range locked, if it changes
// something, but no buffer and no pin: those are shared with volumes whose arrays are there. What is cached goes on being served.
//
// # Locks
//
// In this order: drop, range lock, table of fills, stripe, shard of the store or flash's locks; a drop takes no range lock. The range lock is held while the
// array is asked, that is its purpose; whoever holds it waits for nothing but the array. A launched write holds it until the log behind the array answers, that
// is, until somebody kicks: who has launched it sees to that before he waits for anything. The others are held for index work only. The
// locks of the stream detector, the outage and the count of calls are leaves. Buffers are acquired before any lock and before any
// pin, all that a read needs at once: who holds some never waits for more. A read that has waited for writes takes one that there is at once, or begins anew.
package volume
