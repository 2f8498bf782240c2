package initiator

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/sock"
)

// Session is a normal session in its full feature phase. Dial makes one.
type Session struct {
	opts   Options
	conn   net.Conn
	params iscsi.Params

	group      string // what it has logged in to, for PortalGroup
	redirected bool

	in       *receiver
	received atomic.Uint64 // reads of the socket that brought something
	over     chan struct{} // closed when the connection is lost or closed
	done     chan struct{} // closed when all commands are completed
	managing chan struct{} // one for each task management request under way

	mu struct {
		sync.Mutex
		err    error // why the connection is gone, or going
		failed error // err, unless the end was orderly
		ending error // why no new commands are taken
		bye    bool  // the logout has been queued

		// The command window. The next command gets cmdSN if it is not after maxCmdSN.
		cmdSN, maxCmdSN, expStatSN uint32

		slots       []*Command // outstanding, by slot; their number is Options.Commands
		free        []uint16
		generation  uint16
		outstanding int
		head, tail  *Command        // queued
		waiters     []chan struct{} // of Do, for a slot
		epoch       uint64          // ticks of the deadlines

		requests map[uint32]*request // task management, NOP, logout: by tag
		pinged   bool                // our ping has no answer yet
		aborted  [maxAborted]uint32  // tags of the commands that were aborted last, a ring
		aborts   int
		lastTag  uint32
		echoes   int // answers to NOP-In that wait to be written

		out      outbox
		corked   bool      // the reader dispatches, and will flush
		writing  bool      // batch is being written, by the reader or the writer
		handover bool      // the reader leaves the rest of batch to the writer
		wake     sync.Cond // of the writer
	}
	batch outbox       // whoever set writing owns it
	now   *sock.Writer // of whoever owns the batch
}

// start takes over a connection that has logged in. in holds what has been read ahead.
func start(opts Options, conn net.Conn, in *receiver, params iscsi.Params, cmdSN, maxCmdSN, expStatSN uint32) *Session {
	s := &Session{opts: opts, conn: conn, params: params, in: in, over: make(chan struct{}), done: make(chan struct{}),
		managing: make(chan struct{}, maxManage)}
	s.mu.cmdSN, s.mu.maxCmdSN, s.mu.expStatSN = cmdSN, maxCmdSN, expStatSN
	s.mu.slots = make([]*Command, opts.Commands)
	s.mu.free = make([]uint16, opts.Commands)
	for i := range s.mu.free {
		s.mu.free[i] = uint16(opts.Commands - 1 - i)
	}
	s.mu.requests = make(map[uint32]*request)
	s.mu.wake.L = &s.mu
	s.now = sock.NewWriter(conn)
	in.src = corkedReader{s, sock.NewReader(conn)}
	in.headerDigest, in.dataDigest = params.HeaderDigest, params.DataDigest
	go s.run()
	return s
}

// run is the life of a session.
func (s *Session) run() {
	written := make(chan struct{})
	go func() {
		s.writeLoop()
		close(written)
	}()
	go s.keepalive()
	if s.opts.CommandTimeout > 0 {
		go s.deadlines()
	}
	s.fail(s.readLoop())
	<-written
	s.completeAll()
	close(s.done)
}

// fail ends the connection; the first cause counts.
func (s *Session) fail(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.err != nil {
		return
	}
	switch {
	case s.mu.ending == nil:
		s.mu.err, s.mu.failed = cause, cause
	case s.mu.outstanding == 0 || errors.Is(cause, s.mu.ending):
		s.mu.err = s.mu.ending
	default:
		s.mu.err = fmt.Errorf("%w: %w", s.mu.ending, cause)
		s.mu.failed = s.mu.err
	}
	s.mu.ending = s.mu.err
	close(s.over)
	s.mu.wake.Broadcast()
	s.conn.Close()
}

// completeAll ends what is outstanding. The reader and the writer are gone.
func (s *Session) completeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := fmt.Errorf("%w: %w", ErrOutcomeUnknown, s.mu.err)
	unsent := fmt.Errorf("%w: %w", ErrNotSent, s.mu.err)
	s.mu.head, s.mu.tail = nil, nil
	for _, c := range s.mu.slots {
		if c == nil {
			continue
		}
		switch c.state {
		case queued:
			c.Err = unsent
		case sent:
			c.Err = lost
		}
		s.release(c)
		s.mu.Unlock()
		c.Done(c)
		s.mu.Lock()
	}
	for tag, r := range s.mu.requests { // those who wait see over
		if r.deadline != nil {
			r.deadline.Stop()
		}
		delete(s.mu.requests, tag)
	}
}

// Params are what was negotiated.
func (s *Session) Params() iscsi.Params { return s.params }

// PortalGroup names the target's end of the nexus: a login with the same ISID reinstates a session to the same portal group only (RFC 7143
// 6.3.5). It is the tag that the target tells, or the portal if it tells none.
func (s *Session) PortalGroup() string { return s.group }

// Redirected says whether the session is with another portal than the one asked for.
func (s *Session) Redirected() bool { return s.redirected }

// Over is closed when the connection is gone; Err says why then. Commands may still be completing.
func (s *Session) Over() <-chan struct{} { return s.over }

// Err is why the session takes no more commands, or nil.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.ending
}

// Close takes no more commands, lets those under way finish, logs out, and returns when every command is completed, which takes
// Options.LogoutTimeout at most. It returns why the session ended, unless it was by a logout with every command answered. It may not be
// called by Done, which it waits for.
func (s *Session) Close() error {
	s.end(ErrClosed)
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failed
}

// Abandon closes the connection without a logout and returns when every command is completed. It may not be called by Done.
func (s *Session) Abandon() {
	s.fail(ErrClosed)
	<-s.done
}

// end begins an orderly end: what is outstanding finishes, then comes the logout.
func (s *Session) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ending != nil {
		return
	}
	s.mu.ending = cause
	time.AfterFunc(s.opts.LogoutTimeout, func() { s.fail(ErrTimeout) })
	s.sayGoodbye()
}

// sayGoodbye queues the logout when nothing is outstanding any more. s.mu is held.
func (s *Session) sayGoodbye() {
	if s.mu.ending == nil || s.mu.err != nil || s.mu.bye || s.mu.outstanding > 0 {
		return
	}
	s.mu.bye = true
	h := s.request(iscsi.OpLogout, &request{response: iscsi.OpLogoutResp})
	h.SetFlags(iscsi.FlagFinal) // reason 0: close the session
	s.seal(h)
	s.mu.wake.Signal()
}
