// Package server is the server half of NFS version 3 (RFC 1813): an rpc.Program that serves Exports, and the mount.Exporter that hands
// out their handles. What executes the procedures is the FileSystem of each export; here are the rules that hold for all of them.
//
// A request goes through the same steps whichever way it is answered (request.go): its arguments are decoded; its handles are opened, which
// says what export they belong to; the export's policy says whether the client may use it and who the caller is; names are checked. Then
// it is executed, and handles in its result are sealed. Hits of the cache are answered on the connection's goroutine (Inline) and
// allocate nothing; the rest runs on goroutines of its own (Serve).
//
// Handles are stateless (handle.go): a header with a MAC under the cluster's key, and the file system's own handle. So any gateway reads
// them, also after a restart, and a client can't make up one. Handles that are too long for that are known by their hash
// (longhandles.go).
//
// A procedure that must not be executed twice is remembered with its answer (duplicates.go), for clients that didn't get it and ask again. Before it is
// executed its intent is kept, and before it is answered its outcome (requests.go), for the next process (restore.go). A call of which that finds an intent
// and no outcome, and one that was answered with NFS3ERR_JUKEBOX as nobody knew what had become of it, is in doubt (doubts.go): it is
// executed when it comes again, and what it finds done was done for it (PROTOCOL H2).
//
// What may never happen: a change is executed whose intent wasn't kept first, if it can be kept; an outcome is answered and another one when the call
// comes again, while it is remembered; what another call finds done is taken for its own doing.
//
// Locks are leaves: no lock is held while a file system executes, a record is kept or another lock is taken.
package server
