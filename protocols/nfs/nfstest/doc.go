// Package nfstest has the in-memory twin of an nfs.FileSystem, and the conformance suite that runs on it and on the real ones.
//
// Mem behaves as a POSIX file system behind an NFS server does: permissions by mode bits, weak cache consistency data that is atomic,
// handles that go stale, cookies that stay, unstable writes that a restart loses. Its clock is a counter, so that no two changes have the
// same time. Faults enter it from outside (Hold, Fail, Restart).
package nfstest
