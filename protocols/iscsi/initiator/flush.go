package initiator

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flusher writes a batch without waiting, so that the reader may: if it waited, and the target waited for us to read, neither would
// go on. It spares the writer's wake-up, which costs more than the write.
type flusher struct {
	raw  syscall.RawConn // nil: the connection has none
	iov  []unix.Iovec
	n    int
	call func(fd uintptr) bool
}

const maxIovecs = 1024 // IOV_MAX

func newFlusher(conn any) *flusher {
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
func (f *flusher) write(vec [][]byte) int {
	if f.raw == nil || len(vec) == 0 {
		return 0
	}
	f.iov = f.iov[:0]
	for _, p := range vec[:min(len(vec), maxIovecs)] {
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

// flush sends what has gathered while the reader dispatched. What does not go at once is the writer's.
func (s *Session) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.corked = false
	if s.mu.out.empty() || s.mu.writing || s.mu.err != nil {
		return // a writer that is writing looks again
	}
	s.takeBatch()
	s.mu.Unlock()
	n := s.flusher.write(s.batch.vec)
	s.mu.Lock()
	if s.batch.consume(n); !s.batch.empty() {
		s.mu.handover = true
		s.mu.wake.Signal()
		return
	}
	s.written()
}

// takeBatch makes what has gathered the batch that is being written. s.mu is held, writing is false.
func (s *Session) takeBatch() {
	s.mu.writing = true
	s.batch, s.mu.out = s.mu.out, s.batch
}
