package bench

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const maxIovecs = 1024 // IOV_MAX

// flusher writes a batch without waiting.
type flusher struct {
	raw  syscall.RawConn // nil: the connection has none, and all is the writer's
	iov  []unix.Iovec
	n    int
	call func(fd uintptr) bool
}

func newFlusher(conn net.Conn) *flusher {
	f := &flusher{}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			f.raw = raw
		}
	}
	f.call = f.writev
	return f
}

// write writes what goes at once and returns how many bytes that were. Errors are left for the writer to find.
func (f *flusher) write(pieces [][]byte) int {
	if f.raw == nil {
		return 0
	}
	f.iov = f.iov[:0]
	for _, p := range pieces[:min(len(pieces), maxIovecs)] {
		f.iov = append(f.iov, unix.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))})
	}
	f.n = 0
	_ = f.raw.Write(f.call)
	clear(f.iov)
	return f.n
}

func (f *flusher) writev(fd uintptr) bool {
	n, _, errno := unix.Syscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(unsafe.SliceData(f.iov))), uintptr(len(f.iov)))
	if errno == 0 {
		f.n = int(n)
	}
	return true // never wait
}
