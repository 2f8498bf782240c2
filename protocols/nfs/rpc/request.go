package rpc

import (
	"context"
	"encoding/binary"
	"fmt"

	"forebay/protocols/nfs/xdr"
)

// Request is a call to make. It and what it refers to must not be changed before Client.Call returns.
type Request struct {
	Procedure uint32
	Cred      Credentials
	Args      interface{ Encode(*xdr.Encoder) } // nil: none
	Data      [][]byte                          // follows Args, is padded, and is not copied
	// Idempotent: the call may be executed twice. After a lost connection it is sent again.
	Idempotent bool
	Fate       *Fate           // is set, if it is not nil
	During     context.Context // the call ends with it too; nil: none
}

// Reply is a reply that succeeded.
type Reply struct {
	Results []byte // valid until Release
	memory  memory
}

// Decode decodes the results, of which views are valid until Release.
func (r *Reply) Decode(results interface{ Decode(*xdr.Decoder) }) error {
	d := xdr.NewDecoder(r.Results)
	results.Decode(&d)
	if d.Err() != nil {
		return fmt.Errorf("%w: results: %w", ErrProtocol, d.Err())
	}
	return nil
}

// Release gives the memory back, once.
func (r *Reply) Release() {
	r.memory.release()
	*r = Reply{}
}

// pending is a call under way. Client.mu guards it, apart from what its caller reads once it is ready.
type pending struct {
	client     *Client
	xid        uint32
	order      uint64 // of arrival
	head       []byte // record mark, header and arguments
	data       [][]byte
	size       int // bytes of data
	idempotent bool
	fate       *Fate

	link  *link // where it was sent last; nil: it never was
	held  bool  // the link's outbox refers to head or data
	done  bool  // reply and err are set
	reply Reply
	err   error
	ready chan struct{} // done, and not held any more
}

func newPending(c *Client, r *Request) *pending {
	p := &pending{client: c, data: r.Data, idempotent: r.Idempotent, fate: r.Fate, ready: make(chan struct{}, 1)}
	e := xdr.NewEncoder(make([]byte, markLength, 256))
	(&CallHeader{Program: c.opts.Program, Version: c.opts.Version, Procedure: r.Procedure, Cred: r.Cred}).Encode(&e)
	if r.Args != nil {
		r.Args.Encode(&e)
	}
	for _, piece := range r.Data {
		p.size += len(piece)
	}
	p.head = e.Bytes()
	binary.BigEndian.PutUint32(p.head, lastFragment|uint32(len(p.head)-markLength+p.size+xdr.Pad(p.size)))
	return p
}

func (p *pending) setXID(xid uint32) {
	p.xid = xid
	binary.BigEndian.PutUint32(p.head[markLength:], xid)
}

// left is called by the outbox that held the memory.
func (p *pending) left() {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	p.held = false
	if p.done {
		p.ready <- struct{}{}
	}
}

// finish sets the outcome. Preconditions: Client.mu is held, and it has none.
func (p *pending) finish(reply Reply, err error) {
	delete(p.client.mu.calls, p.xid)
	p.reply, p.err, p.done = reply, err, true
	if !p.held {
		p.ready <- struct{}{}
	}
}

// fail ends a call that has no reply.
func (p *pending) fail(reason error) {
	if p.link == nil {
		p.finish(Reply{}, fmt.Errorf("%w: %w", ErrNotSent, reason))
	} else {
		p.finish(Reply{}, fmt.Errorf("%w: %w", ErrOutcomeUnknown, reason))
	}
}
