package sock

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Writer writes to one connection. It is not safe for concurrent use.
type Writer struct {
	raw  syscall.RawConn // nil: the connection has none
	iov  []unix.Iovec
	all  int // bytes of iov
	n    int // of those that were written
	call func(fd uintptr) bool
}

const maxIovecs = 1024 // IOV_MAX

// NewWriter returns a writer to a connection. To one that isn't a socket itself nothing goes at once.
func NewWriter(conn any) *Writer {
	w := &Writer{raw: rawOf(conn)}
	w.call = w.writev
	return w
}

// Write writes what goes at once of the pieces, in order, and returns how many bytes that were. Errors are left for whoever writes the rest
// to find. It allocates nothing once it has seen as many pieces.
func (w *Writer) Write(pieces [][]byte) int {
	if w.raw == nil || len(pieces) == 0 {
		return 0
	}
	w.iov, w.all, w.n = w.iov[:0], 0, 0
	for _, p := range pieces[:min(len(pieces), maxIovecs)] {
		w.iov = append(w.iov, unix.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))})
		w.all += len(p)
	}
	_ = w.raw.Write(w.call)
	clear(w.iov)
	return w.n
}

func (w *Writer) writev(fd uintptr) bool {
	if raced {
		w.writeEach(int(fd))
		return true
	}
	call := unix.RawSyscall
	if w.all > told {
		call = unix.Syscall
	}
	n, _, errno := call(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(w.iov))), uintptr(len(w.iov)))
	if errno == 0 {
		w.n = int(n)
	}
	return true // never wait
}

// writeEach is writev by a call for each piece.
func (w *Writer) writeEach(fd int) {
	for _, v := range w.iov {
		n, err := syscall.Write(fd, unsafe.Slice(v.Base, v.Len))
		if err != nil {
			return
		}
		if w.n += n; n < int(v.Len) {
			return
		}
	}
}

// Rest is what is left of pieces of which n bytes have been written. It is made in their place.
func Rest(pieces [][]byte, n int) net.Buffers {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
