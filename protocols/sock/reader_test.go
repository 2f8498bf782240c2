package sock

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/sock/socktest"
)

func TestReadIsThatOfTheConnection(t *testing.T) {
	near, far := socktest.Pair(t)
	content := bytes.Repeat([]byte("forebay"), 200_000)
	go func() {
		_, _ = far.Write(content)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	r := NewReader(near)
	var got []byte
	for _, room := range []int{0, 1, 1000, told, told + 1, 3 * told} { // the last two are those that the scheduler is told of
		p := make([]byte, room)
		n, err := r.Read(p)
		if err != nil || n == 0 && room > 0 {
			t.Fatal(n, err)
		}
		got = append(got, p[:n]...)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(got, rest...), content) {
		t.Error("other bytes")
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Error(n, err)
	}
}

// What is passed is gone, and no more; a socket of TCP doesn't even copy it.
func TestPassIsReadButForTheContent(t *testing.T) {
	near, far := socktest.Pair(t)
	var content []byte
	for i := range 300_000 {
		content = append(content, byte(i>>8))
	}
	go func() {
		_, _ = far.Write(content)
		_ = far.(*net.TCPConn).CloseWrite()
	}()
	r, p, at := NewReader(near), make([]byte, 100_000), 0
	for at < 200_000 {
		clear(p)
		n, err := r.Pass(p[:min(len(p), 200_000-at)])
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		if !raced && !bytes.Equal(p[:n], make([]byte, n)) {
			t.Error("it is copied")
		}
		at += n
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(rest, content[at:]) {
		t.Errorf("%d bytes are left, of %d: %v", len(rest), len(content)-at, err)
	}
	if n, err := r.Pass(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Error(n, err)
	}
}

func TestWhatIsNoSocketIsPassedByReadingIt(t *testing.T) {
	near, far := net.Pipe()
	go func() { _, _ = far.Write([]byte("forebay")) }()
	r, p := NewReader(near), make([]byte, 4)
	if n, err := r.Pass(p); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	if n, err := r.Read(p); err != nil || string(p[:n]) != "bay" {
		t.Error(string(p[:n]), err)
	}
}

func TestAReadEndsAsThatOfTheConnectionDoes(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(near, far net.Conn) error
		want error
	}{
		"in time":      {func(near, _ net.Conn) error { return near.SetReadDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
		"too late":     {func(near, _ net.Conn) error { return near.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"by us":        {func(near, _ net.Conn) error { return near.Close() }, net.ErrClosed},
		"by the peer":  {func(_, far net.Conn) error { return far.Close() }, io.EOF},
		"by its death": {func(_, far net.Conn) error { return errors.Join(far.(*net.TCPConn).SetLinger(0), far.Close()) }, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := socktest.Pair(t)
			read := make(chan error, 1)
			go func() {
				_, err := NewReader(near).Read(make([]byte, 10))
				read <- err
			}()
			if err := c.end(near, far); err != nil {
				t.Fatal(err)
			}
			if err := <-read; !errors.Is(err, c.want) {
				t.Errorf("%v, not %v", err, c.want)
			}
		})
	}
}

// counting is a connection around another.
type counting struct {
	*net.TCPConn
	reads int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	return c.TCPConn.Read(p)
}

func TestWhatIsAroundASocketIsNotPassedBy(t *testing.T) {
	near, far := socktest.Pair(t)
	c := &counting{TCPConn: near.(*net.TCPConn)}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(c).Read(make([]byte, 1)); !errors.Is(err, io.EOF) || c.reads != 1 {
		t.Errorf("%v, %d reads", err, c.reads)
	}
}

func TestWhatIsNoSocketIsReadAsItIs(t *testing.T) {
	near, far := net.Pipe()
	go func() { _, _ = far.Write([]byte("forebay")) }()
	p := make([]byte, 10)
	if n, err := NewReader(near).Read(p); err != nil || string(p[:n]) != "forebay" {
		t.Error(n, err)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	near, far := socktest.Pair(t)
	r, p, sent := NewReader(near), make([]byte, 10), []byte{1}
	if n := testing.AllocsPerRun(1000, func() {
		_, _ = far.Write(sent)
		_, _ = r.Read(p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
