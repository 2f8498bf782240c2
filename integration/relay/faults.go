package relay

import (
	"context"
	"net"
	"time"
)

// Direction is where bytes go.
type Direction uint8

// The directions.
const (
	ToServer Direction = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

// The ways of a link, as indices.
const (
	up   = 0 // to the server
	down = 1 // to the client
)

// ways calls f for each way that a direction has.
func (d Direction) ways(f func(way int)) {
	if d&ToServer != 0 {
		f(up)
	}
	if d&ToClient != 0 {
		f(down)
	}
}

// Ending is how a connection ends.
type Ending int

// Reset sends a RST. Finish sends a FIN, as close(2) does: a peer that goes on sending is answered by a RST.
const (
	Reset Ending = iota
	Finish
)

func end(c net.Conn, how Ending) {
	if t, ok := c.(*net.TCPConn); ok && how == Reset {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// Cut ends all connections now, on both sides, and returns how many; bytes under way are lost. Where a task is held, or let go and not
// answered yet, only the client's side ends.
func (r *Relay) Cut(how Ending) int {
	n := 0
	for _, l := range r.links() {
		if l.cut(how) {
			n++
		}
	}
	return n
}

// CutEvery cuts at intervals until the context or the relay ends.
func (r *Relay) CutEvery(ctx context.Context, interval time.Duration, how Ending) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.Cut(how)
		case <-ctx.Done():
			return
		case <-r.ctx.Done():
			return
		}
	}
}

// Refuse says whether new connections are reset as soon as they are made.
func (r *Relay) Refuse(on bool) { r.refuse.Store(on) }

// BlackHole says whether bytes in a direction are swallowed, and the ends of connections with them: nobody is told anything. TCP never
// delivers a stream with a hole in it: connections that have lost something are reset when the black hole ends.
func (r *Relay) BlackHole(d Direction, on bool) {
	d.ways(func(way int) { r.dark[way].Store(on) })
	if on {
		return
	}
	for _, l := range r.links() {
		d.ways(func(way int) {
			if l.deaf[way].Load() {
				l.cut(Reset)
			}
		})
	}
}

// Delay makes bytes that enter from now on come out that much later. Their order and the throughput stay what they are. A round trip
// that is to take d longer is a Delay of d in one direction, or of d/2 in Both.
func (r *Relay) Delay(d Direction, by time.Duration) {
	d.ways(func(way int) { r.delay[way].Store(int64(by)) })
}
