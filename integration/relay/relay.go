package relay

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Options of a relay. Zero values mean the defaults given.
type Options struct {
	// Buffer is the number of bytes in a line, and of those kept of a held task: 16 MiB, at least 64 KiB. A delay d allows no more
	// than Buffer/d bytes a second.
	Buffer int

	// ISCSI says that the bytes are iSCSI's, which Hold needs. The digests are those that the sessions negotiate: logins never have
	// them, and everything after the login has.
	ISCSI                    bool
	HeaderDigest, DataDigest bool
}

const defaultBuffer = 16 << 20

// Relay is safe for concurrent use.
type Relay struct {
	opts     Options
	listener net.Listener
	ctx      context.Context // over once the relay closes
	cancel   context.CancelFunc
	running  sync.WaitGroup // Serve and the links

	refuse atomic.Bool
	dark   [2]atomic.Bool  // by way
	delay  [2]atomic.Int64 // nanoseconds, by way

	mu struct {
		sync.Mutex
		upstream string
		links    map[*link]struct{}
		accepted int     // connections, ever
		holds    []*Held // that wait for a PDU
		closed   bool
	}
}

// New listens on a free port of 127.0.0.1, for a server at upstream, which need not be there yet. Serve begins to relay.
func New(upstream string, o Options) (*Relay, error) {
	if o.Buffer <= 0 {
		o.Buffer = defaultBuffer
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{opts: o, listener: l}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.mu.upstream = upstream
	r.mu.links = map[*link]struct{}{}
	return r, nil
}

// Addr is where clients connect to.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// SetUpstream leads new connections to another server.
func (r *Relay) SetUpstream(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.upstream = address
}

// Serve relays until Close, and returns nil then. A client whose server can't be reached is reset.
func (r *Relay) Serve() error {
	if !r.begin() {
		return nil
	}
	defer r.running.Done()
	for {
		c, err := r.listener.Accept()
		switch {
		case r.ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("relay: %w", err)
		case r.refuse.Load() || !r.begin():
			end(c, Reset)
		default:
			go r.relay(c)
		}
	}
}

// Close ends all connections, what is held included, and waits for all goroutines. It may be called again.
func (r *Relay) Close() {
	r.mu.Lock()
	r.mu.closed = true
	r.mu.Unlock()
	r.cancel()
	_ = r.listener.Close()
	for _, l := range r.links() {
		l.kill(Reset)
	}
	r.running.Wait()
}

// begin counts a goroutine in, unless the relay is closed.
func (r *Relay) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closed {
		return false
	}
	r.running.Add(1)
	return true
}

// relay is the life of a client's connection.
func (r *Relay) relay(client net.Conn) {
	defer r.running.Done()
	r.mu.Lock()
	upstream := r.mu.upstream
	r.mu.Unlock()
	server, err := new(net.Dialer).DialContext(r.ctx, "tcp", upstream)
	if err != nil {
		end(client, Reset)
		return
	}
	l, err := newLink(r, client, server)
	if err != nil {
		end(client, Reset)
		end(server, Reset)
		return
	}
	r.enter(l)
	l.run()
	r.mu.Lock()
	delete(r.mu.links, l)
	r.mu.Unlock()
}

// enter makes a link known to the faults. One that comes too late for Close ends at once.
func (r *Relay) enter(l *link) {
	r.mu.Lock()
	r.mu.accepted++
	l.number = r.mu.accepted
	r.mu.links[l] = struct{}{}
	closed := r.mu.closed
	r.mu.Unlock()
	if closed {
		l.kill(Reset)
	}
}

// links returns those that there are now.
func (r *Relay) links() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*link, 0, len(r.mu.links))
	for l := range r.mu.links {
		all = append(all, l)
	}
	return all
}
