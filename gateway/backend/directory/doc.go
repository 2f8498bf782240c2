// Package directory makes a local folder an nfs.FileSystem: all procedures of NFS version 3 but NULL, for any number of goroutines. It
// needs Linux 5.8 and /proc.
//
// Handles are the kernel's own (name_to_handle_at), so that they outlive renames and restarts; opening by them takes
// CAP_DAC_READ_SEARCH. One carries a check of the folder's identity: a handle of another folder is stale. Which objects lie in the
// folder isn't checked, as knfsd's no_subtree_check doesn't: an object that somebody moves out of it can still be used by a handle that was
// given out before, and who fakes a handle may reach anything of the file system (a server signs those that it hands out). By name, nobody gets out: ".." of
// the root is the root, ".." above it and mount points are NFS3ERR_ACCES, and no symbolic link is ever followed.
//
// The folder is known by its identity (PROTOCOL D6): a UUID in an extended attribute of the folder itself, so that an empty mount point
// isn't taken for what was mounted there, and the folder's kernel handle, so that a copy isn't either.
//
// Permissions are the kernel's: a call is executed on a thread that has taken on the ids of the caller, without capabilities.
// What opens a file at an NFS client's is done later, by READ and WRITE, so an owner may do these whatever the mode says, and who may execute a
// file may READ it. A process that isn't root can't become others: it serves everybody as itself.
//
// Durable is what the protocol says: a change of names or attributes before it is answered, data by its stability or COMMIT. The
// write verifier stays the same while the machine runs, whichever process serves, as unstable data is in the kernel's page cache. It
// changes when the kernel couldn't write data back.
//
// Attributes before and after a change are taken under a lock of the object, so nothing that is done through here comes between;
// what others do in the folder may. Locks: Directory.life, then one or two of stripes in their order, then those of open files,
// of which none is held while another is taken. No lock is held while something is made durable, but the file's own run of it.
package directory
