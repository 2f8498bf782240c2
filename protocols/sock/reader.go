package sock

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reader reads from one connection, as that does itself, its deadlines and its end included. It is not safe for concurrent use.
type Reader struct {
	conn io.Reader
	raw  syscall.RawConn // nil: the connection has none
	into []byte
	past bool // the content isn't wanted
	n    int
	err  error
	call func(fd uintptr) bool
}

// NewReader returns a reader from a connection, of any kind.
func NewReader(conn io.Reader) *Reader {
	r := &Reader{conn: conn, raw: rawOf(conn)}
	r.call = r.read
	return r
}

// Read implements io.Reader. It allocates nothing.
func (r *Reader) Read(p []byte) (int, error) {
	if raced || r.raw == nil || len(p) == 0 || len(p) > told {
		return r.conn.Read(p)
	}
	return r.at(p, false)
}

// Pass is Read for bytes that nobody wants: p says how many, and may get them or not. TCP doesn't copy them (MSG_TRUNC, tcp(7)).
func (r *Reader) Pass(p []byte) (int, error) {
	if raced || r.raw == nil || len(p) == 0 {
		return r.Read(p)
	}
	return r.at(p, true)
}

// at reads into p, or past what p would get.
func (r *Reader) at(p []byte, past bool) (int, error) {
	r.into, r.past, r.n, r.err = p, past, 0, nil
	err := r.raw.Read(r.call)
	r.into = nil
	switch {
	case err != nil: // it is closed, or too late
		return 0, err
	case r.err != nil:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

func (r *Reader) read(fd uintptr) bool {
	for {
		n, errno := r.receive(fd)
		switch errno {
		case 0:
			r.n = int(n)
			return true
		case unix.EAGAIN:
			return false // until something comes
		case unix.EINTR:
		default:
			r.err = os.NewSyscallError("read", errno)
			return true
		}
	}
}

func (r *Reader) receive(fd uintptr) (n uintptr, errno syscall.Errno) {
	into, room := uintptr(unsafe.Pointer(unsafe.SliceData(r.into))), uintptr(len(r.into))
	if r.past {
		n, _, errno = unix.RawSyscall6(unix.SYS_RECVFROM, fd, into, room, unix.MSG_TRUNC, 0, 0)
	} else {
		n, _, errno = unix.RawSyscall(unix.SYS_READ, fd, into, room)
	}
	return n, errno
}

// Ended says whether the peer has closed the connection, or half of it. What it sent before may still be to be read.
func (r *Reader) Ended() (ended bool) {
	if r.raw == nil {
		return false
	}
	_ = r.raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		ended = err == nil && n > 0
	})
	return ended
}
