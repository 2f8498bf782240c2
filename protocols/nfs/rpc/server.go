package rpc

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Server serves programs. Serve and ServePacket may be called for several sockets; Shutdown ends them all.
type Server struct {
	opts     ServerOptions
	programs programs
	log      zerolog.Logger

	calls  context.Context // of Serve of the programs
	cut    context.CancelFunc
	done   chan struct{} // closed when Shutdown begins
	ending sync.WaitGroup

	mu struct {
		sync.Mutex
		closing bool
		sockets map[interface{ Close() error }]struct{} // listeners and packet sockets
		conns   map[*conn]struct{}
	}
}

// NewServer returns a server that serves nothing yet.
func NewServer(o ServerOptions) *Server {
	o = o.withDefaults()
	s := &Server{opts: o, programs: o.Programs, log: o.Logger, done: make(chan struct{})}
	s.calls, s.cut = context.WithCancel(context.Background())
	s.mu.sockets = make(map[interface{ Close() error }]struct{})
	s.mu.conns = make(map[*conn]struct{})
	return s
}

// Serve accepts connections until ctx ends or Shutdown is called, which it reports as nil, or until the listener fails. It closes the
// listener; the connections go on.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if !s.open(l) {
		l.Close()
		return nil
	}
	defer s.close(l)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		nc, err := l.Accept()
		if s.isClosing() || ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err == nil {
			s.accept(nc)
			continue
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		s.log.Warn().Err(err).Msg("accept") // out of file descriptors, say
		s.pause(100 * time.Millisecond)
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

// open enters a socket that Shutdown closes; it returns false if that has begun.
func (s *Server) open(socket interface{ Close() error }) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mu.closing {
		s.mu.sockets[socket] = struct{}{}
	}
	return !s.mu.closing
}

func (s *Server) close(socket interface{ Close() error }) {
	socket.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.sockets, socket)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.closing
}

func (s *Server) accept(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closing || len(s.mu.conns) >= s.opts.Limits.Connections {
		s.log.Warn().Stringer("from", nc.RemoteAddr()).Int("limit", s.opts.Limits.Connections).Msg("too many connections; refused")
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.mu.conns[c] = struct{}{}
	s.ending.Add(1)
	go func() {
		defer s.ending.Done()
		c.run()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	}()
}

// Shutdown closes the sockets, reads no more calls, lets those under way be answered and ends all connections. When ctx ends first,
// connections are cut, and the context of the calls under way ends. It returns when everything has ended.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	first := !s.mu.closing
	s.mu.closing = true
	sockets, conns := slices.Collect(maps.Keys(s.mu.sockets)), slices.Collect(maps.Keys(s.mu.conns))
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	for _, socket := range sockets {
		socket.Close()
	}
	for _, c := range conns {
		c.stop()
	}
	defer context.AfterFunc(ctx, func() {
		s.cut()
		for _, c := range conns {
			c.net.Close()
		}
	})()
	s.ending.Wait()
	s.cut()
}

// ConnInfo is one connection as the status tells it.
type ConnInfo struct {
	Remote   netip.AddrPort
	Since    time.Time
	Calls    uint64
	InFlight int // calls that are not answered at once
}

// Conns lists the connections.
func (s *Server) Conns() []ConnInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]ConnInfo, 0, len(s.mu.conns))
	for c := range s.mu.conns {
		list = append(list, ConnInfo{Remote: c.remote, Since: c.since, Calls: c.received.Load(), InFlight: int(c.running.Load())})
	}
	return list
}
