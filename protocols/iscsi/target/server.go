package target

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

// Server serves targets. Serve may be called for several listeners; Shutdown ends them all.
type Server struct {
	opts Options
	log  zerolog.Logger

	loggingIn atomic.Int32
	closing   atomic.Bool
	done      chan struct{} // closed when Shutdown begins
	conns     sync.WaitGroup

	mu struct {
		sync.Mutex
		listeners map[net.Listener]struct{}
		conns     map[*conn]bool // true: its login is over and answered
		sessions  map[*session]struct{}
		lastTSIH  uint16
	}
}

// New returns a server that serves nothing yet.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{opts: o, log: o.Logger, done: make(chan struct{})}
	s.mu.listeners = make(map[net.Listener]struct{})
	s.mu.conns = make(map[*conn]bool)
	s.mu.sessions = make(map[*session]struct{})
	return s
}

// Serve accepts connections until ctx ends or Shutdown is called, which it reports as nil, or until the listener fails. It closes the
// listener; the sessions go on.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	s.mu.Lock()
	closing := s.closing.Load()
	if !closing {
		s.mu.listeners[l] = struct{}{}
	}
	s.mu.Unlock()
	if closing {
		return nil
	}
	defer func() {
		s.mu.Lock()
		delete(s.mu.listeners, l)
		s.mu.Unlock()
	}()
	for {
		nc, err := l.Accept()
		if s.closing.Load() || ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() { // out of file descriptors, say
				s.log.Warn().Err(err).Msg("accept")
				s.pause(100 * time.Millisecond)
				continue
			}
			return err
		}
		s.accept(nc)
	}
}

func (s *Server) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.done:
	}
}

func (s *Server) accept(nc net.Conn) {
	if n := s.loggingIn.Add(1); int(n) > s.opts.Limits.Unauthenticated {
		s.loggingIn.Add(-1)
		s.log.Warn().Stringer("from", nc.RemoteAddr()).Int("limit", s.opts.Limits.Unauthenticated).Msg("too many logins under way; connection refused")
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		s.loggingIn.Add(-1)
		nc.Close()
		return
	}
	s.mu.conns[c] = false
	s.conns.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.conns.Done()
		c.run()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	}()
}

// loggedIn notes that the login of c is over: a shutdown asks it to log out from here on, instead of cutting it.
func (s *Server) loggedIn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.conns[c] = true
}

// Shutdown stops accepting, asks the initiators to log out, lets commands under way finish and ends all connections. When ctx ends
// first, connections are cut.
func (s *Server) Shutdown(ctx context.Context) {
	if !s.closing.CompareAndSwap(false, true) {
		return
	}
	close(s.done)
	s.mu.Lock()
	for l := range s.mu.listeners {
		l.Close()
	}
	var conns []*conn
	for c, loggedIn := range s.mu.conns {
		if loggedIn {
			conns = append(conns, c)
		} else {
			c.net.Close()
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.requestLogout(s.opts.LogoutTimeout)
	}
	finished := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(finished)
	}()
	grace := time.NewTimer(s.opts.LogoutTimeout)
	defer grace.Stop()
	select {
	case <-finished:
		return
	case <-grace.C:
	case <-ctx.Done():
	}
	for _, c := range conns {
		c.stop()
	}
	select {
	case <-finished:
	case <-ctx.Done():
		for _, c := range conns {
			c.cut()
		}
		<-finished
	}
}

// SessionInfo is one session as the status tells it.
type SessionInfo struct {
	Initiator string
	Target    string
	Address   string
	Since     time.Time
	Commands  uint64
	InFlight  int
}

// Sessions lists the sessions; those for discovery have no target.
func (s *Server) Sessions() []SessionInfo {
	s.mu.Lock()
	sessions := slices.Collect(maps.Keys(s.mu.sessions))
	s.mu.Unlock()
	list := make([]SessionInfo, 0, len(sessions))
	for _, x := range sessions {
		list = append(list, SessionInfo{Initiator: x.initiator, Target: x.nexus.Target, Address: x.conn.net.RemoteAddr().String(),
			Since: x.since, Commands: x.commands.Load(), InFlight: x.inFlight()})
	}
	return list
}

// enter admits a session, having ended the one that it reinstates. tsih is what the initiator asks to join: a session has one
// connection, so there is nothing to join. TSIH and membership are set together, so that two logins of the same initiator port
// can't both win.
func (s *Server) enter(x *session, tsih uint16) error {
	patience := time.NewTimer(s.opts.Limits.Login)
	defer patience.Stop()
	for {
		old, err := s.tryEnter(x, tsih)
		if old == nil {
			return err
		}
		s.log.Info().Str("initiator", x.initiator).Str("target", x.target.Name).Msg("session reinstated")
		old.conn.cut()
		select {
		case <-old.ended: // its commands no longer touch the medium
		case <-s.done:
			return refused(iscsi.LoginUnavailable, "shutting down")
		case <-patience.C:
			return refused(iscsi.LoginUnavailable, "the old session's commands have not ended yet")
		}
	}
}

// tryEnter admits x, or returns the session that has to end first.
func (s *Server) tryEnter(x *session, tsih uint16) (old *session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kin := 0
	for o := range s.mu.sessions {
		if o.discovery == x.discovery {
			kin++
		}
		switch {
		case tsih != 0 && o.tsih == tsih && o.sameNexus(x):
			return nil, refused(iscsi.LoginTooManyConnections, "a session has one connection")
		case tsih == 0 && o.sameNexus(x):
			old = o
		}
	}
	switch {
	case tsih != 0:
		return nil, refused(iscsi.LoginNoSession, "no session with TSIH %d", tsih)
	case s.closing.Load():
		return nil, refused(iscsi.LoginUnavailable, "shutting down")
	case old != nil:
		return old, nil
	case x.discovery && kin >= s.opts.Limits.Unauthenticated:
		return nil, refused(iscsi.LoginOutOfResources, "more than %d discovery sessions", s.opts.Limits.Unauthenticated)
	case !x.discovery && kin >= s.opts.Limits.Sessions:
		return nil, refused(iscsi.LoginOutOfResources, "more than %d sessions", s.opts.Limits.Sessions)
	}
	x.tsih = s.freeTSIH()
	s.mu.sessions[x] = struct{}{}
	return nil, nil
}

func (s *Server) freeTSIH() uint16 {
	for {
		s.mu.lastTSIH++
		used := s.mu.lastTSIH == 0
		for o := range s.mu.sessions {
			used = used || o.tsih == s.mu.lastTSIH
		}
		if !used {
			return s.mu.lastTSIH
		}
	}
}

// leave takes out a session whose commands have ended. The devices hear of it before a new session of the same nexus can begin.
func (s *Server) leave(x *session) {
	if x.target != nil {
		for _, d := range x.target.LUNs() {
			d.Event(scsi.EventNexusLoss, &x.nexus)
		}
	}
	s.mu.Lock()
	delete(s.mu.sessions, x)
	s.mu.Unlock()
	close(x.ended)
}

// sessionsOf lists the sessions that a task management function can reach.
func (s *Server) sessionsOf(target string) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*session
	for x := range s.mu.sessions {
		if !x.discovery && x.target.Name == target {
			list = append(list, x)
		}
	}
	return list
}
