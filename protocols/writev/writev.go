// Package writev writes what goes into a socket at once, and never waits: so somebody may write who has something else to do, and spares the
// wake-up of another goroutine, which costs more than the write.
package writev

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Writer writes to one connection. It is not safe for concurrent use.
type Writer struct {
	raw  syscall.RawConn // nil: the connection has none
	iov  []unix.Iovec
	n    int
	call func(fd uintptr) bool
}

const maxIovecs = 1024 // IOV_MAX

// New returns a writer to a connection. To one that isn't a syscall.Conn nothing goes at once.
func New(conn any) *Writer {
	w := &Writer{}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
	w.call = w.writev
	return w
}

// Write writes what goes at once of the pieces, in order, and returns how many bytes that were. Errors are left for whoever writes the rest
// to find. It allocates nothing once it has seen as many pieces.
func (w *Writer) Write(pieces [][]byte) int {
	if w.raw == nil || len(pieces) == 0 {
		return 0
	}
	w.iov = w.iov[:0]
	for _, p := range pieces[:min(len(pieces), maxIovecs)] {
		w.iov = append(w.iov, unix.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))})
	}
	w.n = 0
	_ = w.raw.Write(w.call)
	clear(w.iov)
	return w.n
}

func (w *Writer) writev(fd uintptr) bool {
	n, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(w.iov))), uintptr(len(w.iov)))
	if errno == 0 {
		w.n = int(n)
	}
	return true // never wait
}
