package target

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/freelist"
	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
	"forebay/protocols/workers"
)

// conn is one connection. Its goroutine, the reader, runs it from the login to the end.
type conn struct {
	srv     *Server
	net     net.Conn
	log     zerolog.Logger
	in      *reader
	out     *outbox
	params  iscsi.Params
	session *session // nil during the login
	cid     uint16

	h        [iscsi.HeaderLength]byte // of the PDU at hand
	window   window
	budget   budget
	free     freelist.List[task]
	workers  *workers.Pool[job]
	started  scsi.Launcher // what the reader has launched something at since the last kick; nil: nothing
	kicking  atomic.Bool   // the reader kicks, and sends afterwards
	flushing atomic.Bool   // a worker is about to send
	text     textExchange
	lastTag  uint32 // target transfer tag of the last R2T; guarded by outbox.mu
	manages  atomic.Int32

	opened   time.Time
	heard    atomic.Int64 // when bytes last came, since opened
	sent     atomic.Int64 // when bytes last left
	pinged   atomic.Int64 // when a NOP-In asked for a sign of life that has not come yet; 0: none is asked for
	alive    *time.Timer  // of look; guarded by session.mu
	stopping atomic.Bool  // end in order: what runs is answered
}

var (
	errLoggedOut = errors.New("logged out")
	errSilent    = errors.New("no sign of life")
)

func newConn(s *Server, nc net.Conn) *conn {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true) // the default; what batches is the outbox
	}
	c := &conn{srv: s, net: nc, opened: time.Now(), log: s.log.With().Stringer("from", nc.RemoteAddr()).Logger()}
	c.workers = workers.New(c.work)
	c.out = newOutbox(nc, c.recycle, c.left)
	c.in = newReader(nc, c.kickAndFlush, c.touch)
	c.budget.free = s.opts.Limits.shared()
	c.budget.grant = c.granted
	return c
}

// run serves the connection to its end.
func (c *conn) run() {
	defer c.net.Close()
	ok := c.logIn()
	c.srv.loggingIn.Add(-1)
	if !ok {
		return
	}
	x := c.session
	c.log = c.log.With().Str("initiator", x.initiator).Str("target", x.nexus.Target).Logger()
	c.log.Info().Bool("discovery", x.discovery).Msg("session begins")
	c.srv.loggedIn(c)
	c.watch()
	err := c.serve()
	c.finish(err)
	c.srv.leave(x)
	c.logEnd(err)
}

// serve takes PDUs until the connection ends.
func (c *conn) serve() error {
	for {
		extended, err := c.in.header(c.h[:])
		if err != nil {
			return err
		}
		if err := c.receive(c.h[:], extended); err != nil {
			if errors.Is(err, errDataDigest) { // the peer is told (RFC 7143 7.8); at recovery level 0 the connection ends with it
				_ = c.reject(c.h[:], iscsi.RejectDataDigest, 0)
				_ = c.kickAndFlush()
			}
			return err
		}
		if !c.out.crowded() {
			continue // if it is by now, the next PDU finds that: nobody waits for the peer without a kick before
		}
		c.kick()
		if err := c.out.makeRoom(); err != nil {
			return err
		}
	}
}

func (c *conn) receive(h iscsi.Header, extended bool) error {
	n := h.DataLength()
	if n > maxRecvSegment {
		return protocolError("a data segment of %d bytes", n)
	}
	op := h.Opcode()
	switch {
	case op == iscsi.OpSNACK:
		return c.reject(h, iscsi.RejectSNACK, n)
	case op == iscsi.OpLogin:
		return c.reject(h, iscsi.RejectProtocol, n)
	case op == iscsi.OpDataOut && !c.session.discovery:
		return c.dataOut(h)
	case hasCmdSN(op):
		return c.request(h, extended)
	}
	return c.reject(h, iscsi.RejectNotSupported, n)
}

// perform executes a request whose turn it is.
func (c *conn) perform(h iscsi.Header, extended bool) error {
	if h.Opcode() == iscsi.OpSCSICommand && !c.session.discovery {
		return c.command(h, extended)
	}
	data, err := c.segment(h.DataLength())
	if err != nil {
		return err
	}
	return c.performWith(h, data)
}

// performWith executes a request other than a SCSI command, with its data.
func (c *conn) performWith(h iscsi.Header, data []byte) error {
	switch h.Opcode() {
	case iscsi.OpNopOut:
		c.nopOut(h, data)
		return nil
	case iscsi.OpText:
		return c.textRequest(h, data)
	case iscsi.OpLogout:
		return c.logout(h)
	case iscsi.OpTaskMgmt:
		if !c.session.discovery {
			return c.manage(h)
		}
	}
	return c.reject(h, iscsi.RejectNotSupported, 0)
}

// segment reads a data segment that belongs to no task.
func (c *conn) segment(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	p := make([]byte, n)
	return p, c.in.data(p)
}

// finish ends the session's tasks: in order if the connection still works and is asked to, else at once. When it returns no device has
// a task of the session, and no goroutine but the reader is left.
func (c *conn) finish(err error) {
	x := c.session
	c.kick()
	stopped := c.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded)
	polite := stopped || errors.Is(err, errLoggedOut) || errors.Is(err, errDataDigest)
	switch {
	case stopped:
		x.abort(func(t *task) bool { return t.state == collecting })
		c.quiesce()
	case !polite:
		c.net.Close()
	}
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	wait := x.abort(everything)
	x.cancel()
	for _, t := range c.budget.end() {
		x.letGo(t)
	}
	for _, e := range c.window.held {
		if e.task != nil {
			x.letGo(e.task)
		}
	}
	for _, ended := range wait {
		<-ended
	}
	x.running.Wait()
	c.workers.Close()
	c.alive.Stop()
	_ = c.net.SetWriteDeadline(time.Now().Add(c.srv.opts.NopTimeout)) // look does it no more
	_ = c.out.drain()                                                 // drops it, if the connection is gone
	if polite {
		c.linger()
	}
}

// quiesce waits for the tasks that run to be answered, and for those that get their memory from them.
func (c *conn) quiesce() {
	for {
		ended := c.session.executing()
		if ended == nil && c.out.drain() == nil {
			ended = c.session.executing()
		}
		if ended == nil {
			return
		}
		<-ended
	}
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

// cut ends a connection that has a session at once. Its goroutine does the rest.
func (c *conn) cut() {
	c.net.Close() // first: what a device returns when it is cancelled must not be sent
	c.session.cancel()
}

// stop ends a connection in order: nothing more is read, and what runs is answered.
func (c *conn) stop() {
	c.stopping.Store(true)
	_ = c.net.SetReadDeadline(time.Now())
}

func (c *conn) logEnd(err error) {
	switch {
	case errors.Is(err, errProtocol), errors.Is(err, errHeaderDigest), errors.Is(err, errDataDigest):
		c.log.Warn().Err(err).Msg("connection dropped")
	case errors.Is(err, errLoggedOut), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe), c.stopping.Load():
		c.log.Info().AnErr("reason", err).Msg("session ends")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		c.log.Info().AnErr("reason", err).Msg("connection lost; session ends")
	default:
		c.log.Warn().Err(err).Msg("connection lost; session ends")
	}
}
