package rpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/freelist"
	"forebay/protocols/sock"
	"forebay/protocols/workers"
)

// conn is one connection of a server. Its goroutine, the reader, runs it to its end.
type conn struct {
	srv    *Server
	net    net.Conn
	remote netip.AddrPort
	since  time.Time
	from   *sock.Reader
	in     records
	out    *outbox
	quota  quota
	free   freelist.List[Call]
	alive  deadline // of reads; the reader's
	begun  bool     // calls have been left to workers since the reader waited last; the reader's

	workers  *workers.Pool[job]
	calls    sync.WaitGroup // that workers have
	running  atomic.Int32   // those
	received atomic.Uint64
	stopping atomic.Bool
}

var (
	errStopping = errors.New("shutting down")
	errLeft     = fmt.Errorf("%w: the client has gone elsewhere, and calls are left unread", io.EOF)
)

const lingerTimeout = time.Second

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, net: nc, remote: addrPort(nc.RemoteAddr()), since: time.Now(), from: sock.NewReader(nc), out: newOutbox(nc, s.opts.StallTimeout),
		quota: newQuota(s.opts.Limits.Calls, s.opts.Limits.Memory)}
	c.workers = workers.New(c.work)
	c.alive.set = nc.SetReadDeadline
	c.in = records{from: c.from, limit: s.opts.Limits.Record, buf: make([]byte, readBuffer), wait: c.wait, get: c.get, put: c.put}
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	if has, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		at := has.AddrPort()
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	return netip.AddrPort{}
}

// run serves the connection to its end.
func (c *conn) run() {
	err := c.serve()
	c.calls.Wait()
	c.workers.Close()
	if c.out.drain() == nil && !errors.Is(err, io.EOF) {
		c.linger()
	}
	c.net.Close()
	log := c.srv.log.Debug()
	if errors.Is(err, ErrProtocol) {
		log = c.srv.log.Warn()
	}
	log.Stringer("from", c.remote).Err(err).Msg("connection ends")
}

// serve takes records until the connection ends.
func (c *conn) serve() error {
	for {
		record, memory, err := c.in.next()
		switch {
		case err == nil:
			err = c.receive(record, memory)
		case errors.Is(err, os.ErrDeadlineExceeded) && c.waits():
			continue
		}
		if err == nil {
			err = c.out.makeRoom()
		}
		if err != nil {
			return err
		}
	}
}

// waits says whether a client that has been silent is waiting for us.
func (c *conn) waits() bool {
	return !c.stopping.Load() && !c.in.begun() && c.running.Load() > 0
}

// wait is called before the reader blocks in the socket.
func (c *conn) wait(inside bool) error {
	if err := c.out.flush(); err != nil {
		return err
	}
	if c.begun {
		c.begun = false
		runtime.Gosched() // the calls go first, while there may be nothing more to read
	}
	patience := c.srv.opts.IdleTimeout
	if inside {
		patience = c.srv.opts.StallTimeout
	}
	err := c.alive.extend(patience)
	if c.stopping.Load() { // stop sets it before it sets the deadline that this may have put off
		return errStopping
	}
	return err
}

// get returns memory for a long record. It waits while the calls under way hold too much.
func (c *conn) get(n int) (memory, error) {
	if err := c.reserve(0, n); err != nil {
		return memory{}, err
	}
	return takeMemory(c.srv.opts.Buffers, n), nil
}

func (c *conn) put(m memory) {
	m.release()
	c.quota.give(0, len(m.bytes))
}

// reserve takes from the quota. Calls under way end, and replies leave or are dropped, so that it never waits for ever. What waited with it, in the socket
// too, is not served once the client has closed the connection: a client that asks again over another one may have gone on to write something else there by now.
func (c *conn) reserve(calls, bytes int) error {
	for !c.quota.take(calls, bytes) {
		if err := c.out.flush(); err != nil {
			return err
		}
		<-c.quota.freed
		if c.from.Ended() {
			return errLeft
		}
	}
	return nil
}

// receive answers a record, or has a goroutine do so.
func (c *conn) receive(record []byte, m memory) error {
	call := c.free.Take()
	call.conn, call.Remote, call.memory = c, c.remote, m
	if err := call.begin(record); err != nil {
		c.recycle(call)
		return err
	}
	c.received.Add(1)
	if call.verdict == nil {
		if program := c.srv.programs.inline(call); program != nil {
			return c.start(program, call)
		}
	}
	c.deliver(call)
	return nil
}

// start has a worker serve a call.
func (c *conn) start(program Program, call *Call) error {
	if err := c.reserve(1, 0); err != nil {
		c.recycle(call)
		return err
	}
	call.counted = true
	call.detach()
	c.calls.Add(1)
	c.running.Add(1)
	c.begun = true
	c.workers.Do(job{program, call})
	return nil
}

// job is a call on its way to a worker, and who serves it.
type job struct {
	program Program
	call    *Call
}

func (c *conn) work(j job) {
	defer c.calls.Done()
	j.program.Serve(c.srv.calls, j.call)
	c.running.Add(-1)
	c.deliver(j.call)
	if c.running.Load() > 0 {
		runtime.Gosched() // others that are about to deliver go first, and go with it
	}
	if c.out.flush() != nil {
		c.net.Close() // the reader sees it
	}
}

// deliver queues the reply of a call.
func (c *conn) deliver(call *Call) {
	head := call.seal()
	if !c.out.add(head, call.Data.pieces, call.Data.Len(), call) {
		c.recycle(call)
	}
}

// recycle gives everything back that a call holds.
func (c *conn) recycle(call *Call) {
	c.put(call.memory)
	if call.counted {
		c.quota.give(1, 0)
	}
	call.reset()
	c.free.Give(call)
}

// stop ends a connection in order: nothing more is read, and what runs is answered.
func (c *conn) stop() {
	c.stopping.Store(true)
	_ = c.net.SetReadDeadline(time.Unix(1, 0))
}

// linger closes so that what was sent last arrives: unread input would have the connection reset.
func (c *conn) linger() {
	half, ok := c.net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.net.SetReadDeadline(time.Now().Add(lingerTimeout)) != nil {
		return
	}
	for left := 64; left > 0; left-- {
		if _, err := c.net.Read(c.in.buf); err != nil {
			return
		}
	}
}
