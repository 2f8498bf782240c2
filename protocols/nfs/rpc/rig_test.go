package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/nfs/xdr"
	"forebay/protocols/sock/socktest"
)

// The program that the tests serve.
const (
	echoProgram = 0x20000001
	echoLow     = 2
	echoHigh    = 4

	procEcho   = 1 // answered at once with its arguments
	procSlow   = 2 // the same on a goroutine, when the gate lets it through
	procData   = 3 // answered at once with as many pinned bytes as the first argument says
	procFail   = 4 // GARBAGE_ARGS, having added results and data
	procDenied = 5 // AUTH_TOOWEAK, on a goroutine
	procLate   = 6 // as procData, but on a goroutine
)

// echo is that program.
type echo struct {
	entered chan uint32   // XIDs of slow calls that have begun
	open    chan struct{} // a value lets one of them through; closed, all
	ended   chan uint32   // XIDs of those whose context ended first
	served  atomic.Int64  // calls of procedures that ran
	pins    atomic.Int64  // pieces of data that have not been released
	content []byte
}

var content = sync.OnceValue(func() []byte {
	p := make([]byte, 1<<20)
	for i := range p {
		p[i] = byte(i>>9) ^ byte(i*7)
	}
	return p
})

func newEcho() *echo {
	return &echo{entered: make(chan uint32, 1024), open: make(chan struct{}, 1024), ended: make(chan uint32, 1024), content: content()}
}

func (e *echo) Number() uint32             { return echoProgram }
func (e *echo) Versions() (uint32, uint32) { return echoLow, echoHigh }
func (e *echo) Release(uint64)             { e.pins.Add(-1) }

func (e *echo) Inline(c *Call) bool {
	switch c.Procedure {
	case procEcho:
		c.Results.Fixed(c.Args)
	case procData:
		e.data(c)
	case procFail:
		c.Results.Uint32(1)
		e.pins.Add(1)
		c.Data.Add(e.content[:4], e, 0)
		c.Fail(GarbageArgs)
	default:
		return false
	}
	e.served.Add(1)
	return true
}

func (e *echo) data(c *Call) {
	d := xdr.NewDecoder(c.Args)
	n := int(d.Uint32())
	if d.Err() != nil || n > len(e.content) {
		c.Fail(GarbageArgs)
		return
	}
	c.Results.Uint32(uint32(n))
	for at := 0; at < n; at += 64 << 10 {
		e.pins.Add(1)
		c.Data.Add(e.content[at:min(at+64<<10, n)], e, 0)
	}
}

func (e *echo) Serve(ctx context.Context, c *Call) {
	e.served.Add(1)
	switch c.Procedure {
	case procDenied:
		c.Fail(AuthTooWeak)
	case procLate:
		e.data(c)
	case procSlow:
		e.entered <- c.XID
		select {
		case <-e.open:
			c.Results.Fixed(c.Args)
		case <-ctx.Done():
			e.ended <- c.XID
			c.Fail(SystemErr)
		}
	default:
		c.Fail(ProcUnavail)
	}
}

// rig is a server of the echo program behind a listener in memory, or on the loopback.
type rig struct {
	t       testing.TB
	echo    *echo
	server  *Server
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	served  chan error
}

func newRig(t testing.TB, l net.Listener, change ...func(*ServerOptions)) *rig {
	t.Helper()
	r := &rig{t: t, echo: newEcho(), address: l.Addr().String(), dial: new(net.Dialer).DialContext, served: make(chan error, 1)}
	if pipe, ok := l.(*socktest.PipeListener); ok {
		r.dial = pipe.Dial
	}
	o := ServerOptions{Programs: []Program{r.echo}}
	for _, f := range change {
		f(&o)
	}
	r.server = NewServer(o)
	go func() { r.served <- r.server.Serve(context.Background(), l) }()
	return r
}

// loopback has a rig listen on a port.
func loopback(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// end cuts what is left and sees that nothing stays behind. In a bubble, goroutines that stay are a deadlock.
func (r *rig) end() {
	r.t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	r.shutdown(now)
}

func (r *rig) shutdown(ctx context.Context) {
	r.t.Helper()
	r.server.Shutdown(ctx)
	if err := <-r.served; err != nil {
		r.t.Errorf("Serve: %v", err)
	}
	if n := r.echo.pins.Load(); n != 0 {
		r.t.Errorf("%d pieces of data are not released", n)
	}
	if n := len(r.server.Conns()); n != 0 {
		r.t.Errorf("%d connections are left", n)
	}
}

var ourFrame = regexp.MustCompile(`nfs/rpc\.\(\*(Server|conn|outbox|records|Client|link)\)`)

// checkLeaks fails the test if goroutines run our code when it is over; it gives them time to end.
func checkLeaks(t testing.TB) {
	t.Cleanup(func() {
		for left := 20000; ; left-- {
			buf := make([]byte, 1<<20)
			var stack string
			for _, s := range regexp.MustCompile(`\n\n`).Split(string(buf[:runtime.Stack(buf, true)]), -1) {
				if ourFrame.MatchString(s) {
					stack = s
				}
			}
			if stack == "" {
				return
			}
			if left == 0 {
				t.Errorf("a goroutine is left:\n%s", stack)
				return
			}
			runtime.Gosched()
		}
	})
}

// client returns a client of the rig.
func (r *rig) client(change ...func(*ClientOptions)) *Client {
	o := ClientOptions{Address: r.address, Program: echoProgram, Version: echoHigh, Dial: r.dial}
	for _, f := range change {
		f(&o)
	}
	return NewClient(o)
}

// raw connects without a client.
func (r *rig) raw() *raw {
	r.t.Helper()
	nc, err := r.dial(context.Background(), "tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	return &raw{r.t, nc}
}

// raw is a peer that sends what it is told, right or wrong.
type raw struct {
	t testing.TB
	net.Conn
}

// callRecord is a call of the echo program with its record mark.
func callRecord(xid, procedure uint32, args []byte) []byte {
	return recordOf(&CallHeader{XID: xid, Program: echoProgram, Version: echoHigh, Procedure: procedure}, args)
}

func recordOf(h *CallHeader, args []byte) []byte {
	e := xdr.NewEncoder(make([]byte, markLength))
	h.Encode(&e)
	return marked(append(e.Bytes(), args...))
}

// marked fills in the record mark that p has room for.
func marked(p []byte) []byte {
	binary.BigEndian.PutUint32(p, lastFragment|uint32(len(p)-markLength))
	return p
}

func (c *raw) send(p ...[]byte) {
	c.t.Helper()
	for _, piece := range p {
		if _, err := c.Write(piece); err != nil {
			c.t.Fatal(err)
		}
	}
}

// reply reads a reply of one fragment.
func (c *raw) reply() (xid uint32, results []byte, verdict error) {
	c.t.Helper()
	record, err := c.record()
	if err != nil {
		c.t.Fatal(err)
	}
	xid, results, verdict, err = parseReply(record)
	if err != nil {
		c.t.Fatal(err)
	}
	return xid, results, verdict
}

func (c *raw) record() ([]byte, error) {
	var mark [markLength]byte
	if _, err := io.ReadFull(c, mark[:]); err != nil {
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint32(mark[:])&^lastFragment)
	_, err := io.ReadFull(c, p)
	return p, err
}

// closed says whether the other end has closed the connection, having sent nothing more.
func (c *raw) closed() bool {
	var p [1]byte
	n, err := c.Read(p[:])
	return n == 0 && err != nil && !errors.Is(err, context.DeadlineExceeded)
}

// bytes is an argument that is sent as it is, and a result that takes everything.
type bytes []byte

func (b bytes) Encode(e *xdr.Encoder)  { e.Fixed(b) }
func (b *bytes) Decode(d *xdr.Decoder) { *b = append([]byte(nil), d.Rest()...) }

const minute = time.Minute
