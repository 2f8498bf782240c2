// Package staged makes a filer's export one whose WRITEs are acknowledged by a write log. It is an nfs.FileSystem over an nfs.FileSystem, as
// cachecore/writeback is an array over an array: a cache lies over it as over any filer, and the destager below is that of cachecore/writeback.
//
// # Nouns
//
// An export is one shard. A file has a slot while it has, or had a moment ago, records in the log: its place in an address space that all
// files share (space), which is the array that the destager knows. A record in the log names the file by its handle. A file is dirty while the log
// has records of it that are not trimmed; it is moving while an interval with something of it is being carried to the filer.
//
// # Attributes
//
// What is shown of a file with a slot is what the filer says, but for size and times. While the file is dirty its size is at least what has been
// written, and once a record has set it, what the records make it, whatever the filer says. Its times are the gateway's: each record, and each change by others, makes them later. The filer's own times, which move when
// the destager writes, stand for them (base): as long as the filer shows those, nobody else has changed the file. A reply that was asked for before
// the last change of ours, or before the file got its slot, is older than what is shown, and isn't learned from.
//
// # Order
//
// WRITEs of a file share its order; a SETATTR of the size has it alone, and is a record as they are (Sizes). Whatever else changes a file or what its names are finds it without records: any other SETATTR, and CREATE,
// REMOVE, RENAME and LINK of a name that leads to it, wait until the filer has all that was acknowledged and the log has forgotten it, and keep WRITEs
// of that file out meanwhile; a file that has no slot is lent one for that. So the filer never has a name for content that it lacks, and no replay
// undoes what was done to a file. While the filer is away such a change doesn't wait, but says so. A WRITE behind what an address reaches within a slot, or
// a file of the filer, is such a change too.
//
// # Sizes
//
// A SETATTR of the size, and of nothing but the mtime to now with it, is a record where the log lasts, and the filer is known to allow it. A file whose records
// include one goes through these states:
//
//	asked      it has the file's order: every WRITE before it has been answered, and is in the log, or never will be
//	logged     it is durable. To readers what was behind the new end is zeros, in any interval; WRITEs go on behind it in the log
//	shown      size and times are as it says, and it is answered. From now on the records alone make the size
//	carried    of an interval, or of a replay: the lowest size first, then the last, then the content; then a COMMIT, as after WRITEs
//	forgotten  the log has trimmed it, and all before it. With the last record of the file the filer's size is shown again
//
// A kill in any state but the first begins again at logged; carrying a second time ends as the first did. What may never happen: content that was
// logged before a lower size is on the filer, or is read, once that size is; content that was logged behind it is cut; what an end has taken away is seen again
// when the file grows; a size is answered that a kill takes back.
//
// It goes the way of other changes where it is guarded, or sets more; where a user may write only as the owner whom the mode doesn't let write, or may not;
// and where no file of the filer is that long: what that refuses is to be refused before it is answered. A log in memory has none of them.
//
// # Rights
//
// A user's WRITE, or size, is logged when the filer has let that user write to the file a moment ago, and neither mode nor owner nor names have been changed through
// this gateway since; it is asked by a WRITE of no bytes. While the filer is away, what it last said holds. The destager writes as who was let write
// last; if that may no longer, as the file's owner, and as root; and it has committed what was written as who wrote it.
//
// # What the filer refuses for good
//
// Content, or a size, for a file that is gone, or that nobody may write, or for which a quota is used up, be it that the WRITE is refused, the SETATTR or the COMMIT, is saved
// below Options.Parked, and the file is refused from then on (PROTOCOL E4). A filer that is full, or fails, stops the destager instead.
//
// Where the log has lost records nothing is answered, of any file (PROTOCOL F2).
//
// # Locks
//
// In this order: a file's order; writeback.Array's and space.mu; FileSystem.mu; file.mu. Only the first is held while the filer is asked.
package staged
