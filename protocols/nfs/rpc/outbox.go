package rpc

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"forebay/protocols/nfs/xdr"
	"forebay/protocols/sock"
)

// outbox gathers messages and sends them with one writev. Any goroutine may add one; who calls flush while nobody else writes becomes
// the writer, and sends what others add meanwhile too. So does who calls offer, as long as it goes at once.
type outbox struct {
	to       net.Conn
	patience time.Duration // a peer that takes no byte for so long is dropped
	deadline deadline      // the writer's
	now      *sock.Writer

	mu        sync.Mutex
	gathering *batch // what is added to
	rest      *batch // what offer has not got rid of; it goes first
	spare     *batch // the other one, when nobody writes
	writing   bool
	leaving   int   // bytes of the batch that is being written
	err       error // the connection can't be written any more
	idle      sync.Cond
}

func newOutbox(to net.Conn, patience time.Duration) *outbox {
	o := &outbox{to: to, patience: patience, now: sock.NewWriter(to), gathering: newBatch(), spare: newBatch()}
	o.deadline.set = to.SetWriteDeadline
	o.idle.L = &o.mu
	return o
}

// add queues a message: head, which has the record mark, then n bytes of data and their padding. It returns whether the outbox refers
// to memory of the message from here on; if so, who.left is called when it no longer does. After an error the message is dropped.
func (o *outbox) add(head []byte, data [][]byte, n int, who owner) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false
	}
	b := o.gathering
	kept := len(head) > copyMax || n > 0
	if len(head) > copyMax {
		b.add(head)
	} else {
		b.copy(head)
	}
	for _, p := range data {
		if len(p) > 0 {
			b.add(p)
		}
	}
	b.copy(zeros[:xdr.Pad(n)])
	if kept {
		b.owners = append(b.owners, who)
	}
	return kept
}

// flush sends what has gathered, unless another goroutine is sending, which then does.
func (o *outbox) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.writing && o.unsent() {
		o.write()
	}
	return o.err
}

// offer sends what has gathered as far as it goes at once, unless another goroutine is sending, which then does. If it says false, somebody has
// to flush the rest.
func (o *outbox) offer() (all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.writing && o.unsent() {
		if o.rest != nil || o.err != nil {
			return false
		}
		b := o.take()
		o.mu.Unlock()
		n, all := o.now.Write(b.pieces), b.bytes
		if n < all {
			b.begin(n)
		} else {
			b.empty()
		}
		o.mu.Lock()
		if n < all {
			o.rest, o.writing = b, false
			o.idle.Broadcast()
			return false
		}
		o.sent(b)
	}
	return true
}

// unsent says whether there is something that nobody is sending, if nobody is sending. o.mu is held, here and below.
func (o *outbox) unsent() bool { return o.rest != nil || len(o.gathering.pieces) > 0 }

// take takes what is to be sent next, and makes the caller the writer.
func (o *outbox) take() *batch {
	b := o.rest
	if o.rest = nil; b == nil {
		b, o.gathering, o.spare = o.gathering, o.spare, nil
	}
	o.writing, o.leaving = true, b.bytes
	return b
}

// sent is the end of writing: all of the batch has left, or never will.
func (o *outbox) sent(b *batch) {
	o.spare = b
	o.writing, o.leaving = false, 0
	o.idle.Broadcast()
}

// makeRoom returns when there is not too much unsent. The reader calls it before it takes another record: a peer that doesn't read its
// replies gets no more of them.
func (o *outbox) makeRoom() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.gathering.full() || o.gathering.bytes+o.leaving >= 2*batchBytes {
		o.writeOrWait()
	}
	return o.err
}

// drain sends what has gathered and returns when all of it has left.
func (o *outbox) drain() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing || o.unsent() {
		o.writeOrWait()
	}
	return o.err
}

func (o *outbox) writeOrWait() {
	if o.writing {
		o.idle.Wait()
	} else {
		o.write()
	}
}

// write sends one batch. Preconditions: o.mu is held and nobody writes; it is released while the socket is written. What can't be sent
// is dropped. The memory is given back before anybody else may write, so that drain leaves nothing behind.
func (o *outbox) write() {
	b, err := o.take(), o.err
	o.mu.Unlock()
	if err == nil {
		err = o.send(b)
	}
	b.empty()
	o.mu.Lock()
	o.sent(b)
	if err != nil {
		o.err = err
	}
}

// send writes a batch, for as long as the peer takes something.
func (o *outbox) send(b *batch) error {
	if b.iov == nil {
		n := o.now.Write(b.pieces)
		if n == b.bytes {
			return nil
		}
		b.begin(n)
	}
	for {
		if err := o.deadline.extend(o.patience); err != nil {
			return err
		}
		n, err := b.iov.WriteTo(o.to)
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		o.deadline.at = time.Time{}
	}
}
