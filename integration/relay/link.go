package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// link is a client's connection and the one to the server.
//
// The client's may end first, while tasks are held or not answered: the link is an orphan then, and goes on until the server has
// answered them.
type link struct {
	relay          *Relay
	number         int
	client, server net.Conn
	up, down       *line
	gate           *gate
	deaf           [2]atomic.Bool // by way: bytes, or the end of the stream, were swallowed

	mu struct {
		sync.Mutex
		tasks     map[uint32]*Held // by initiator task tag: held, or not answered
		orphan    bool
		abandoned bool // the server's connection has ended: no answers come any more
		killed    bool // both have
	}
}

func newLink(r *Relay, client, server net.Conn) (*link, error) {
	l := &link{relay: r, client: client, server: server}
	var err error
	if l.up, err = newLine(&r.delay[up], r.opts.Buffer); err != nil {
		return nil, err
	}
	if l.down, err = newLine(&r.delay[down], r.opts.Buffer); err != nil {
		l.up.close()
		return nil, err
	}
	l.gate = &gate{link: l, line: l.up, framer: r.framer()}
	l.mu.tasks = map[uint32]*Held{}
	return l, nil
}

// run relays until both ways have ended.
func (l *link) run() {
	var ways sync.WaitGroup
	ways.Go(l.fromClient)
	ways.Go(l.toServer)
	ways.Go(l.fromServer)
	ways.Go(l.toClient)
	ways.Wait()
	l.kill(Finish)
}

// receive gives what comes to sink until the stream ends, and says how it did.
func receive(from io.Reader, sink func(p []byte)) Ending {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			sink(buffer[:n])
		}
		if errors.Is(err, io.EOF) {
			return Finish
		}
		if err != nil {
			return Reset
		}
	}
}

// swallows says whether what has come is lost in a black hole. A link that has lost something stays deaf.
func (l *link) swallows(way int) bool {
	dark := &l.relay.dark[way]
	if !l.deaf[way].Load() {
		if !dark.Load() {
			return false
		}
		l.deaf[way].Store(true)
	}
	if !dark.Load() { // BlackHole may not have seen that it is deaf
		l.cut(Reset)
	}
	return true
}

func (l *link) fromClient() {
	enter := l.up.write
	if l.relay.opts.ISCSI {
		enter = l.gate.write
	}
	l.clientEnds(receive(l.client, func(p []byte) {
		if !l.swallows(up) {
			enter(p)
		}
	}))
}

func (l *link) fromServer() {
	enter := l.deliver
	if l.relay.opts.ISCSI {
		watch := answers{link: l, framer: l.relay.framer()}
		enter = watch.write
	}
	l.serverEnds(receive(l.server, enter))
}

// deliver enters what the server says for the client.
func (l *link) deliver(p []byte) {
	if !l.swallows(down) {
		l.down.write(p)
	}
}

// clientEnds passes the end of the client's stream on, unless the link is to live on as an orphan.
func (l *link) clientEnds(how Ending) {
	if l.swallows(up) {
		return
	}
	if l.orphaned() {
		l.leaveClient(how)
		return
	}
	if how == Reset {
		l.leaveClient(how)
	}
	l.up.end(how)
}

// leaveClient ends the client's connection alone. What the server says is received and dropped from now on.
func (l *link) leaveClient(how Ending) {
	l.down.close()
	end(l.client, how)
}

func (l *link) toServer() {
	how, err := l.up.drain(l.server)
	switch {
	case errors.Is(err, errClosed):
	case err != nil:
		l.serverEnds(Reset)
	case how == Finish:
		_ = l.server.(*net.TCPConn).CloseWrite()
	default:
		end(l.server, Reset)
	}
}

// serverEnds passes the end of the server's stream on.
func (l *link) serverEnds(how Ending) {
	l.abandon()
	if how == Reset || l.isOrphan() {
		l.up.close()
		end(l.server, how)
	}
	if !l.swallows(down) {
		l.down.end(how)
	}
}

func (l *link) toClient() {
	how, err := l.down.drain(l.client)
	switch {
	case errors.Is(err, errClosed):
	case err != nil:
		l.clientEnds(Reset)
	case how == Finish:
		_ = l.client.(*net.TCPConn).CloseWrite()
	default:
		end(l.client, Reset)
	}
}

// cut ends both connections, or makes the link an orphan. It says whether there was something to cut.
func (l *link) cut(how Ending) bool {
	if l.isOrphan() {
		return false
	}
	if l.orphaned() {
		l.leaveClient(how)
		return true
	}
	return l.kill(how)
}

// kill ends both connections, whatever is held. It says whether this was not done before.
func (l *link) kill(how Ending) bool {
	l.abandon()
	l.mu.Lock()
	first := !l.mu.killed
	l.mu.killed = true
	l.mu.Unlock()
	l.up.close()
	l.down.close()
	end(l.client, how)
	end(l.server, how)
	return first
}
