package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

const patience = 20 * time.Second

// server is where the relay leads to.
type server struct {
	t        testing.TB
	listener net.Listener
}

func listen(t testing.TB) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &server{t, l}
}

func (s *server) addr() string { return s.listener.Addr().String() }

func (s *server) accept() *net.TCPConn {
	s.t.Helper()
	_ = s.listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c, err := s.listener.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	return lasting(s.t, c)
}

// start returns a relay that serves until the end of the test, and leaves no goroutine behind.
func start(t testing.TB, upstream string, o Options) *Relay {
	t.Helper()
	r, err := New(upstream, o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve() }()
	t.Cleanup(func() {
		r.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		noGoroutines(t)
	})
	return r
}

func noGoroutines(t testing.TB) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); ; runtime.Gosched() { // they have counted themselves out, and may be just about to end
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "relay.(*link)") && !strings.Contains(all, "relay.(*Relay)") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines are left:\n%s", all)
		}
	}
}

// pair makes a connection through the relay. It stands when a greeting has come through.
func pair(t testing.TB, r *Relay, s *server) (client, serving *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	client, serving = lasting(t, c), s.accept()
	greeting := request(iscsi.OpLoginResp, 0, 0, nil)
	send(t, serving, greeting)
	expect(t, client, greeting)
	return client, serving
}

// expectRefusal connects and is reset, by then or soon after.
func expectRefusal(t testing.TB, r *Relay) {
	t.Helper()
	if c, err := net.Dial("tcp", r.Addr()); err == nil {
		expectEnd(t, lasting(t, c), Reset)
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}

func lasting(t testing.TB, c net.Conn) *net.TCPConn {
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func send(t testing.TB, c net.Conn, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, c net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes came, equal: %v, %v", n, len(want), bytes.Equal(got, want), err)
	}
}

// expectEnd reads on to the end of the stream, which must be the given one.
func expectEnd(t testing.TB, c net.Conn, how Ending) {
	t.Helper()
	n, err := io.Copy(io.Discard, c)
	if got := errors.Is(err, syscall.ECONNRESET); got != (how == Reset) || err != nil && !got || n > 0 {
		t.Fatalf("the stream ended with %v after %d more bytes", err, n)
	}
}

// expectSilence says that neither bytes nor an end come for some time.
func expectSilence(t testing.TB, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes came, or the end: %v", n, err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
}

// request makes a PDU without digests.
func request(op iscsi.Opcode, flags byte, tag uint32, data []byte) []byte {
	p := make([]byte, iscsi.HeaderLength, iscsi.HeaderLength+len(data)+3)
	h := iscsi.Header(p)
	h.SetOpcode(op)
	h.SetFlags(flags)
	h.SetInitiatorTag(tag)
	h.SetDataLength(len(data))
	return append(append(p, data...), make([]byte, iscsi.Pad(len(data)))...)
}

// write makes a SCSI Command with a WRITE(16) of one block whose data comes with it, or after it.
func write(tag uint32, lba uint64, final bool, data []byte) []byte {
	flags := byte(iscsi.FlagWrite)
	if final {
		flags |= iscsi.FlagFinal
	}
	p := request(iscsi.OpSCSICommand, flags, tag, data)
	cdb := iscsi.Header(p).CDB()
	cdb[0] = 0x8a
	binary.BigEndian.PutUint64(cdb[2:], lba)
	binary.BigEndian.PutUint32(cdb[10:], 1)
	return p
}

func response(tag uint32) []byte {
	return request(iscsi.OpSCSIResponse, iscsi.FlagFinal, tag, nil)
}

// stream makes n PDUs with up to 64 KiB of data each, and digests as the options want them.
func stream(n int, o Options) (all []byte) {
	data := randomBytes(64 << 10)
	for i := range n {
		length := i * 7919 % len(data)
		if i%3 == 0 {
			length = 0
		}
		p := request(iscsi.OpDataOut, 0, uint32(i), data[:length])
		all = append(all, p[:iscsi.HeaderLength]...)
		if o.HeaderDigest {
			all = append(all, "head"...)
		}
		all = append(all, p[iscsi.HeaderLength:]...)
		if o.DataDigest && length > 0 {
			all = append(all, "data"...)
		}
	}
	return all
}
