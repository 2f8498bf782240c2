// Package export is the cache in front of a file system that is served over NFS: data blocks of its files in the RAM tier, attributes, names and
// permissions beside them. It is a server.FileSystem over an nfs.FileSystem, by the same handles.
//
// # Nouns
//
// A node is what is known of one object, by its handle. Its view is what is known of its attributes, and whether they are fresh: learned from the
// array no longer ago than the export's attribute timeout. A grant says that the array let a user do something a moment ago. A regular file
// that is read or written has a volume, whose array is that file (file.go); the address space has no end there: what lies behind
// the end of a file reads as zeros, as holes do, and who reads is answered up to the size that the view has.
//
// # What is answered without asking the array
//
// A READ whose blocks are cached, of a file whose view is fresh, by a user who has a grant; GETATTR, LOOKUP and ACCESS likewise. Everything else goes
// to the array with the caller's credentials. Names that are not there are never cached, nor are lock files (.lck).
//
// # Consistency
//
// Across the clients of one gateway it is exact: a change is entered in the view before the array is asked (view.begin) and its outcome before it
// is answered (view.end). What a question brings that was asked meanwhile is not entered, as it may be older. Blocks follow the rules of
// cachecore/volume; SETATTR excludes WRITEs of the same file, so that neither's attributes can be taken for the other's.
//
// Towards changes behind the gateway's back it is close-to-open, as NFS clients have it: the array's answers carry times and size, and where
// these are not what they must be (view.learn, and the attributes before a change of ours, view.end), the object's blocks, names and grants are dropped
// before anything of it is served again. While changes of ours overlap, what came before each can't be known, as arrays needn't take
// these attributes atomically (nfs-ganesha doesn't): then a foreign change is noticed by the first question after.
//
// A write verifier that has changed says that the array may have lost what it had answered: all is dropped.
//
// # Locks
//
// In this order: a file's order, its volume's range lock; then node.mu, then the volume's other locks. The table's are leaves but
// for node.mu. No lock but order and range lock is held while the array is asked.
package export
