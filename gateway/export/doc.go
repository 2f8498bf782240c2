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
// cachecore/volume; SETATTR excludes WRITEs of the same file, so that neither's attributes can be taken for the other's. A name is changed by one call
// at a time (entry), so that what was behind it is known. Exports of one array tell each other (Beside).
//
// Towards changes behind the gateway's back it is close-to-open, as NFS clients have it: the array's answers carry times and size, and where
// these are not what they must be (view.learn, and the attributes before changes of ours, company), the object's blocks, names and grants are dropped
// before anything of it is served again. What others do to an object while changes of ours are under way can't be told from those: arrays needn't
// take attributes atomically with a change (nfs-ganesha doesn't). It goes unnoticed until they do something at another time.
//
// What is in flash of a file is found again in the next life by a witness (gateway/witnesses): prove.go and void.go say when there is one.
//
// A write verifier that has changed says that the array may have lost what it had answered: all is dropped, before anybody is told.
//
// # Bounds
//
// Nodes, names of all directories together, grants of a node and prefetches are bounded by numbers, calls under way by who serves. Witnesses are taken by one
// goroutine (Run), of so many files a round. Numbers of objects are
// given back (Objects).
//
// # Locks
//
// In this order: names that are being changed, a file's order, its volume's range lock; then the verifier's, node.mu, then the volume's other locks.
// The table's, those of Objects, keys and witnesses are leaves but for node.mu. Only the first three, and the turn of who takes witnesses, which comes before
// all, are held while the array is asked.
package export
