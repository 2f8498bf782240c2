// Package sock reads and writes sockets by system calls that end at once, as the socket never waits, and of which the scheduler isn't told: to tell it of one
// wakes the runtime's monitor if it sleeps, which then looks every 20 us whether the call has come back. That is a seventh of what a miss takes.
//
// A Writer writes what goes at once: so somebody may write who has something else to do, and spares the wake-up of another goroutine, which costs more than
// the write.
package sock

import (
	"net"
	"syscall"
)

// told is how many bytes a call may copy before the scheduler has to be told of it, so that others get the processor meanwhile.
const told = 256 << 10

// rawOf is the socket of a connection; nil: it is none, or has something of its own around it.
func rawOf(conn any) syscall.RawConn {
	var raw syscall.RawConn
	var err error
	switch c := conn.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	}
	if err != nil {
		return nil
	}
	return raw
}
