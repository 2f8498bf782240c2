// Package nfs is an NFS version 3 filer behind the gateway: an export as a wire.FileSystem that heals itself (Filer), and a file in one as a
// cachecore.Array (File).
//
// A Filer mounts once (bootstrap.go) and then has a few connections, channels (channel.go), over which calls are pipelined. A channel that is
// lost is made again by the RPC client, and what was under way over it is sent again; nobody notices. Each new connection is greeted with
// a GETATTR of the root: if that is another medium's, nothing is sent to it (identity.go, PROTOCOL D6).
//
// States: serving -> away -> serving ...; a filer that gives no sign of life for Options.Patience while calls wait is away, and so is at once one
// that is another one now (health.go). While away, calls fail at once with wire.ErrAway and a goroutine tries to heal; nothing else ever
// waits for it.
//
// NFS has no sessions and no fence. A change that was sent over a connection which was lost, or to which no reply came, may be executed later
// than it was sent again and answered. Until that can't be any more, what overlaps it waits (doubt.go, PROTOCOL D2). A change that is not idempotent
// and was sent twice may find itself done: then that is success (protocols/nfs/reconcile), also when its caller comes again later (intents.go, PROTOCOL H2).
//
// What may never happen: a call is sent to another medium; a change is sent while an older one that overlaps it may yet be executed, or
// a read that may see it come later; a reply that shows another write verifier is returned before all have been told (verifier.go); a flush of a
// File succeeds that doesn't cover what was answered before (PROTOCOL E1).
//
// Lock order: verifier.mu, and audience.telling, held while those who Watch are told; File.mu; health.mu; the others are leaves. Only the first
// two are held over a call out of the package.
package nfs
