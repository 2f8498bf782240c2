// Package initiator is the client half of RFC 7143 at error recovery level 0: one session over one connection, pipelined.
//
// A Session lives as long as its connection. Commands may be submitted from any goroutine; two goroutines of the session do the
// work. The reader (receiver.go, dispatch.go, transfer.go) takes PDUs off the socket, moves Data-In to where the caller wants it and completes
// commands. The writer (outbox.go) sends what has gathered with one writev. While the reader has PDUs left to dispatch the writer
// is corked, so that the commands which completions submit leave together.
//
// A command goes through: queued (the window, MaxCmdSN, has no room) -> sent -> finished (status is here) -> completed (nothing
// refers to its buffers any more; Done is called, once). When the connection is lost, those that were sent complete with
// ErrOutcomeUnknown and those that were not with ErrNotSent. Who wants more than one connection's life builds it on top.
//
// What waits has an end: a command (Options.CommandTimeout), task management (AbortTimeout), a silent target (NopInterval), the end of
// a session (LogoutTimeout). When it comes the session fails, and what was sent is in doubt.
//
// Commands are built and LUNs asked in scsi.go and the files named after what they ask: provisioning, designators, caching, port groups,
// reservations. What a target tells there is parsed by pure functions.
//
// Lock order: Session.mu is the only lock; it is not held over I/O nor while Done runs. Done runs on the session's goroutines and
// must not block.
//
// No bytes from a target can make the client panic, hang, write outside a caller's buffer or hold unbounded memory: every tag,
// length and offset is checked, and what is wrong ends the session (ErrProtocol, ErrDigest).
package initiator
