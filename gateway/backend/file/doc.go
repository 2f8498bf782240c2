// Package file makes a local file or block device a cachecore.Array.
//
// I/O is direct where the filesystem can do it in units of the logical block, so that a write the array has answered has left the
// page cache. Where direct I/O needs more (512-byte blocks over a filesystem that wants 4096), the page cache is used instead, with
// one log line: it merges parts of a page under the page's own lock, so that neighbours that are written at the same time stay
// whole, which a read-modify-write out here would have to serialise. Either way an answered write is durable only by FUA
// (RWF_DSYNC) or a later Flush (fdatasync).
//
// A medium is known by its identity (PROTOCOL D6). A file's is a UUID in a file beside it, PATH.forebay-id, written when it is
// attached for the first time; a device's is its WWID or serial number, as the kernel tells them. A file is made only if no
// identity is expected and none lies beside its path: one that has disappeared is never replaced by an empty one.
//
// Ownership: one Array holds the lock (flock; for a device also O_EXCL) from Open to Close. Close is called when no call is under
// way. Calls may run concurrently. No lock is held over I/O.
package file
