// Package rpc is ONC RPC version 2 (RFC 5531) over TCP, both halves, and over UDP for the small programs that are asked there.
//
// The wire: records on a stream (record.go), the headers of calls and replies (message.go), AUTH_NONE and AUTH_SYS (auth.go). They
// know no sockets.
//
// A Server hands calls to Programs. One goroutine per connection, the reader, takes records from a buffer. A call that its program
// answers at once (Inliner) is answered on it; the rest run on goroutines of their own, so that a slow one never delays what comes
// behind it, and replies leave in the order in which calls end. Replies gather in the connection's outbox and leave with one writev:
// when the reader is about to block, or when the first of the other goroutines is done, which sends for all that are done meanwhile.
//
// A record that lies in the reader's buffer is a view for as long as its call is answered inline; a call that goes to a goroutine takes
// a copy along. A long record, as that of a WRITE, is read into memory of its own, and is never copied.
//
// What a client can make a server hold is bounded. Per connection: the calls at a time, the bytes of their records, and what is unsent
// before the reader waits, in which case the client's own calls wait in its socket. A call counts until its reply has left. A peer that
// takes no byte, stops in the middle of a record or says nothing for too long is dropped.
//
// A Client has one connection at a time, which it opens when there is something to send, and opens again when it is lost. Callers of
// any number of goroutines are pipelined over it. A call that may be repeated goes to the next connection under the same XID; any other
// one that may have been sent ends with ErrOutcomeUnknown. Each call has a deadline, and nothing waits without one. A Fate
// tells of copies of a call that may be executed after it has ended. A connection may begin with a greeting (greet.go), which has to be
// answered to satisfaction before anything else is sent.
//
// Time is the time package's, so that tests run in a testing/synctest bubble; connections come from a dial function.
//
// Lock order: Client.mu, then outbox.mu. The others (quota.mu, Server.mu, conn.free) are leaves. No lock is held while a program serves
// or a socket is used.
package rpc
