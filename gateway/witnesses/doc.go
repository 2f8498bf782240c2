// Package witnesses keeps, in a file, what makes an NFS export warm after a restart: of which files that were served it is certain what a flash store has
// of them.
//
// A witness says of a file: all that a store has under a key is what the filer has of the file, durably, as long as the filer shows these attributes of
// it. Who takes one (gateway/export) has to know that. From then on it stays true by itself, whatever others do to the file, until something else is kept under the key. So before
// the gateway has a file changed it voids the file's witness: what is read back from the filer and kept then is ahead of a filer that loses power and shows the old
// attributes again.
//
// # The file
//
// All numbers are big-endian. The file has places of 256 bytes. The first one begins with the eight bytes "FBWITNS1"; each of the others has a witness,
// or none, and does not depend on any other:
//
//	0      CRC32C of what follows, up to the end of the place
//	4      number of the place (4)
//	8      hash of the volume's name (16)
//	24     hash of what identifies the filer (16)
//	40     the store's ID (16), the key (16)
//	72     size (8), mtime (8), ctime (8), FSID (8), file ID (8): of the file, as RFC 1813 has them
//	112    length of the handle (1), the handle (64), zeros
//
// # What it survives
//
// Anything. A witness is written beside, and forced to the medium only when the gateway ends: one that is lost is a file that is cold. It is voided
// by zeros over its place, which are forced to the medium before the change goes on, those of many files together. A place that isn't whole, or has rotted, has no witness; a file
// that begins otherwise has none at all, and is begun anew. Two witnesses of one file are none.
//
// A medium that fails is asked nothing more. Then no witness is taken, and before a file is changed that has one its store is condemned, somewhere else (Options.Condemn),
// so that no witness of that store counts.
//
// # Bounds
//
// There are Options.Most places, and they are written when the file is made. When all are taken, the sixteenth that was not used for longest is voided.
//
// # Locks
//
// File.mu is a leaf, and not held over I/O. What is held over I/O is the turn of who writes.
package witnesses
