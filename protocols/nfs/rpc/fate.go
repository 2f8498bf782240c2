package rpc

import "time"

// Fate is what became of a call beside its outcome: whether it may be executed more than once, or later than its caller thinks. A copy
// that was left behind on a lost connection may still be on its way to the server, or in its queue. It is set when Client.Call returns.
type Fate struct {
	Reissued bool      // it was sent over more than one connection
	Lost     time.Time // when the last connection ended over which it had been sent and was not answered; zero: none did
	// Late is nil, unless the call has ended without a reply while its connection lives. Then it tells once: the zero time when the reply
	// has come, else the time at which the connection was lost.
	Late <-chan time.Time
}

// straggler is a call that has ended without a reply, of which somebody wants to know when the server is done with it.
type straggler struct {
	since time.Time
	late  chan<- time.Time
}

// leaveBehind notes, for a call that ends without a reply, that its connection may bring one. Client.mu is held.
func (p *pending) leaveBehind() {
	if p.fate == nil || p.link == nil || p.link.ended {
		return
	}
	late := make(chan time.Time, 1)
	p.fate.Late = late
	p.link.stragglers[p.xid] = straggler{time.Now(), late}
	if len(p.link.stragglers) >= p.client.opts.Outstanding {
		p.link.giveUp(errTimeout) // a server that answers none of so many calls is not worth the memory
	}
}

// caughtUp takes the reply to a straggler, and says whether it was one. Client.mu is held.
func (l *link) caughtUp(xid uint32) bool {
	s, ok := l.stragglers[xid]
	if ok {
		delete(l.stragglers, xid)
		s.late <- time.Time{}
	}
	return ok
}

// overdue says whether a straggler is so old that no reply is to be expected any more: a server may drop a call. Client.mu is held.
func (l *link) overdue(now time.Time) bool {
	for _, s := range l.stragglers {
		if now.Sub(s.since) > l.client.opts.CallTimeout {
			return true
		}
	}
	return false
}

// lose accounts for what a connection that is no more has left unanswered. Client.mu is held.
func (l *link) lose(now time.Time) {
	l.ended = true
	for _, s := range l.stragglers {
		s.late <- now
	}
	clear(l.stragglers)
	for _, p := range l.client.mu.calls {
		if p.link == l && p.fate != nil {
			p.fate.Lost = now
		}
	}
}
