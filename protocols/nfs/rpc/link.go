package rpc

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/nfs/xdr"
	"forebay/protocols/sock"
)

// link is one connection of a client. The keeper reads from it; who calls writes what goes at once, and a goroutine the rest; another one watches.
type link struct {
	client  *Client
	net     net.Conn
	in      records
	out     *outbox
	wake    chan struct{} // the outbox has something to send that nobody sends
	over    chan struct{} // closed when it is lost
	heard   atomic.Bool   // something has come since watch looked
	brought bool          // replies have come; the reader's

	// Guarded by Client.mu.
	ping       uint32               // XID of our last NULL call
	pinged     bool                 // nothing has come since
	reason     error                // why it was given up
	ended      bool                 // nothing comes over it any more
	stragglers map[uint32]straggler // by XID
}

func newLink(c *Client, nc net.Conn) *link {
	l := &link{client: c, net: nc, out: newOutbox(nc, c.opts.StallTimeout), wake: make(chan struct{}, 1), over: make(chan struct{}),
		stragglers: make(map[uint32]straggler)}
	l.in = records{from: sock.NewReader(nc), limit: c.opts.Record, buf: make([]byte, readBuffer), wait: yield,
		get: func(n int) (memory, error) { return takeMemory(c.opts.Buffers, n), nil }, put: memory.release}
	return l
}

// yield has those go first whose replies have come: they are answered while the reader finds that there is nothing more to read.
func yield(bool) error {
	runtime.Gosched()
	return nil
}

// send queues a call, which leaves with the next offer, or kick. Client.mu is held.
func (l *link) send(p *pending) {
	p.link = l
	p.held = l.out.add(p.head, p.data, p.size, p)
}

// offer sends what is queued, without waiting. Client.mu is not held.
func (l *link) offer() {
	if !l.out.offer() {
		l.kick()
	}
}

func (l *link) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run reads until the connection is lost, and returns when nothing of it is left, and whether it was of any use.
func (l *link) run() bool {
	var helpers sync.WaitGroup
	helpers.Go(l.write)
	helpers.Go(l.watch)
	err := l.read()
	l.client.mu.Lock()
	l.giveUp(err) // nothing is added any more
	err = l.reason
	l.client.mu.Unlock()
	close(l.over)
	helpers.Wait()
	l.client.lost(l, err)
	return l.brought
}

func (l *link) read() error {
	for {
		record, m, err := l.in.next()
		if err != nil {
			return err
		}
		l.heard.Store(true)
		if err := l.client.receive(l, record, m); err != nil {
			return err
		}
		l.brought = true
	}
}

// write sends what gathers. In the end it drops what is left, so that all memory is given back.
func (l *link) write() {
	for {
		select {
		case <-l.wake:
			if err := l.out.flush(); err != nil {
				l.net.Close() // the reader sees it
			}
		case <-l.over:
			_ = l.out.drain() // others may be writing yet
			return
		}
	}
}

// watch asks a server that is silent for a sign of life, and ends a connection that is dead or has nothing to do.
func (l *link) watch() {
	ticker := time.NewTicker(l.client.opts.PingInterval)
	defer ticker.Stop()
	idle := time.Duration(0)
	for {
		select {
		case <-l.over:
			return
		case <-ticker.C:
		}
		idle = l.look(idle)
	}
}

// look does what is due, having had no calls for so long as idle says; it returns what it is now.
func (l *link) look(idle time.Duration) time.Duration {
	c := l.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.link != l:
		return 0
	case l.overdue(time.Now()):
		l.giveUp(errTimeout)
	case len(c.mu.calls)+len(l.stragglers) == 0:
		if idle += c.opts.PingInterval; idle >= c.opts.IdleTimeout {
			l.giveUp(errIdle)
		}
		return idle
	case l.heard.Swap(false):
		l.pinged = false
	case l.pinged:
		l.giveUp(errSilent)
	default:
		l.sendPing()
	}
	return 0
}

// giveUp ends the connection; no call is sent on it any more. Client.mu is held.
func (l *link) giveUp(reason error) {
	if l.reason == nil {
		l.reason = reason
	}
	if l.client.mu.link == l {
		l.client.mu.link = nil
	}
	l.net.Close()
}

// sendPing sends a NULL call. Client.mu is held.
func (l *link) sendPing() {
	c := l.client
	l.ping, l.pinged = c.nextXID(), true
	e := xdr.NewEncoder(make([]byte, markLength, 64))
	(&CallHeader{XID: l.ping, Program: c.opts.Program, Version: c.opts.Version}).Encode(&e)
	binary.BigEndian.PutUint32(e.Bytes(), lastFragment|uint32(e.Len()-markLength))
	l.out.add(e.Bytes(), nil, 0, nil)
	l.kick()
}

// parseReply splits a reply into its parts.
func parseReply(record []byte) (xid uint32, results []byte, verdict, err error) {
	d := xdr.NewDecoder(record)
	xid, verdict, err = decodeReply(&d)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("from the server: %w", err)
	}
	return xid, d.Rest(), verdict, nil
}
