package relay

import (
	"sync"

	"forebay/protocols/iscsi"
)

// gate lets a client's bytes into the line to the server, apart from the PDUs of held tasks.
//
// While any task is held, other PDUs enter the line whole or not at all: so that what is held can follow at any time, also when the client
// has gone in the middle of a PDU.
type gate struct {
	link *link
	line *line

	mu     sync.Mutex
	framer framer
	free   parcel // on its way into the line
	task   *Held  // whose PDU is coming; nil: not a held one
}

// parcel is some bytes and how many of them are complete PDUs.
type parcel struct {
	bytes []byte
	whole int
}

// take returns the complete PDUs, or all bytes, and keeps the rest. What it returns is valid until the parcel is filled again.
func (p *parcel) take(all bool) (taken, rest []byte) {
	n := p.whole
	if all {
		n = len(p.bytes)
	}
	p.whole = 0
	return p.bytes[:n], p.bytes[n:]
}

// write takes bytes of the client as they come.
func (g *gate) write(p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.framer.feed(p, g)
	g.flush()
}

// flush moves into the line what may go. g.mu is held.
func (g *gate) flush() {
	taken, rest := g.free.take(!g.link.holding())
	g.line.write(taken)
	g.free.bytes = append(g.free.bytes[:0], rest...)
}

// begin implements pdus.
func (g *gate) begin(h iscsi.Header) {
	g.task = g.link.claim(h)
	if g.task != nil {
		g.task.final = h.Final()
	}
	g.more(h)
}

// more implements pdus. A held task that outgrows the buffer ends the connection.
func (g *gate) more(p []byte) {
	if g.task == nil {
		g.free.bytes = append(g.free.bytes, p...)
		return
	}
	if kept := &g.task.parcel; len(kept.bytes)+len(p) <= g.link.relay.opts.Buffer {
		kept.bytes = append(kept.bytes, p...)
	} else {
		g.link.cut(Reset)
	}
}

// complete implements pdus.
func (g *gate) complete() {
	if g.task == nil {
		g.free.whole = len(g.free.bytes)
		return
	}
	g.task.whole = len(g.task.bytes)
	if g.task.final {
		g.task.arrive()
	}
	g.task = nil
}

// release lets a held task's PDUs go. If the last is still coming, its rest goes the way of all bytes.
func (g *gate) release(h *Held) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.link.let(h) {
		return
	}
	taken, rest := h.take(false)
	g.line.write(taken)
	if g.task == h {
		g.task = nil
		g.free.bytes = append(g.free.bytes, rest...)
	}
	h.bytes = nil
	g.link.settle()
}
