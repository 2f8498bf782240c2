// Package target is the target half of RFC 7143 at error recovery level 0: it accepts connections, logs initiators in and hands
// their commands to the scsi.Device of each LUN. A session has one connection.
//
// One goroutine per connection, the reader, takes PDUs from a buffer (reader.go). Commands that the device can answer without waiting
// are executed on it; the rest run on goroutines of their own, so that a slow one never delays what comes behind it. Responses gather
// in the connection's outbox and leave with one writev: when the reader is about to block, or when the first of the other
// goroutines completes, which sends for all that complete meanwhile.
//
// A task (task.go) is in its session's table from the arrival of its PDU to its response, unless the reader answers it at once. Who
// removes it from the table decides its end: complete answers it, abort does not. An aborted task is recycled by whoever holds it last.
// The answer to a task management function, to a logout and to a login that reinstates a session waits until the devices have
// returned from every task that it aborts.
//
// Lock order: session.mu, then outbox.mu. budget.mu, conn.free and Server.mu are leaves. No lock is held while a device executes or a
// socket is used.
//
// What a client can make us hold is bounded. Per connection: the command window, in which each command has its first burst for
// certain; a budget of bytes for longer data in both directions, taken before an R2T is sent or a read begins; and what the outbox
// keeps unsent before the reader waits. Per server: the limits on sessions and on logins under way.
package target
