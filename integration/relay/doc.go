// Package relay is a TCP relay between a client and a server, for tests of what happens when the network, or the array behind it,
// misbehaves. Connections can be cut, refused, swallowed, delayed and led elsewhere while it runs, and it knows enough of iSCSI
// (RFC 7143) to hold one task's PDUs back, even beyond the end of the connection that they came over.
//
// A connection of a client and the one to the server that it caused make a link. Each direction of a link has a reader and a writer,
// goroutines, with a line between them: a bounded queue of bytes, each with the time at which it is due. Delay makes what enters
// later due later and slows nothing else down, as long as Options.Buffer holds what is under way.
//
//	client --> reader --> gate --> line --> writer --> server
//	client <-- writer <-- line <-- answers <-- reader <-- server
//
// The gate, which only a relay for iSCSI has, cuts the client's bytes into PDUs and keeps those of held tasks; answers watches for the
// PDUs that end them.
//
// Lock order: gate.mu, link.mu, Relay.mu; line.mu is a leaf. The gate's is held while its line has no room, the others never over I/O.
// Close waits for all goroutines.
//
// It needs Linux: the kernel's timers are what makes a delay accurate.
package relay
