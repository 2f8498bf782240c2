package rpc

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"forebay/protocols/nfs/xdr"
)

// outbox gathers messages and sends them with one writev. Any goroutine may add one; who calls flush while nobody else writes becomes
// the writer, and sends what others add meanwhile too.
type outbox struct {
	to       net.Conn
	patience time.Duration // a peer that takes no byte for so long is dropped
	deadline deadline      // the writer's

	mu        sync.Mutex
	gathering *batch // what is added to
	spare     *batch // the other one, when nobody writes
	writing   bool
	leaving   int   // bytes of the batch that is being written
	err       error // the connection can't be written any more
	idle      sync.Cond
}

// owner is who has the memory of a message.
type owner interface {
	// left says that the outbox does not refer to the memory any more: it has been sent, or never will be. No lock is held.
	left()
}

// batch is what one writev sends.
type batch struct {
	slab   []byte // short heads and padding: never grown, as pieces point into it
	pieces [][]byte
	iov    net.Buffers // pieces, consumed by the write
	bytes  int
	owners []owner
}

const (
	slabSize    = 32 << 10
	copyMax     = 1 << 10 // heads up to here are copied
	batchBytes  = 1 << 20 // a batch of this many bytes is full; twice as many unsent are too many
	batchPieces = 512
)

var zeros [4]byte

func newBatch() *batch {
	return &batch{slab: make([]byte, 0, slabSize), pieces: make([][]byte, 0, batchPieces)}
}

func newOutbox(to net.Conn, patience time.Duration) *outbox {
	o := &outbox{to: to, patience: patience, gathering: newBatch(), spare: newBatch()}
	o.deadline.set = to.SetWriteDeadline
	o.idle.L = &o.mu
	return o
}

// copy adds a copy of p: to the piece before, if that ends where the slab goes on. A full slab is the rare case, and the heap serves it.
func (b *batch) copy(p []byte) {
	if len(p) == 0 {
		return
	}
	at := len(b.slab)
	if cap(b.slab)-at < len(p) {
		b.add(append([]byte(nil), p...))
		return
	}
	b.slab = append(b.slab, p...)
	b.bytes += len(p)
	if n := len(b.pieces); n > 0 && at > 0 {
		if last := b.pieces[n-1]; &last[len(last)-1] == &b.slab[at-1] {
			b.pieces[n-1] = last[:len(last)+len(p)]
			return
		}
	}
	b.pieces = append(b.pieces, b.slab[at:])
}

func (b *batch) add(p []byte) {
	b.pieces = append(b.pieces, p)
	b.bytes += len(p)
}

func (b *batch) full() bool { return b.bytes >= batchBytes || len(b.pieces) >= batchPieces }

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
	for !o.writing && len(o.gathering.pieces) > 0 {
		o.write()
	}
	return o.err
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
	for o.writing || len(o.gathering.pieces) > 0 {
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
	b := o.gathering
	o.gathering, o.spare = o.spare, nil
	o.writing, o.leaving = true, b.bytes
	err := o.err
	o.mu.Unlock()

	if err == nil {
		err = o.send(b)
	}
	clear(b.pieces)
	b.pieces, b.slab, b.bytes = b.pieces[:0], b.slab[:0], 0
	for i, who := range b.owners {
		who.left()
		b.owners[i] = nil
	}
	b.owners = b.owners[:0]

	o.mu.Lock()
	o.spare = b
	o.writing, o.leaving = false, 0
	if err != nil {
		o.err = err
	}
	o.idle.Broadcast()
}

// send writes a batch, for as long as the peer takes something.
func (o *outbox) send(b *batch) error {
	b.iov = net.Buffers(b.pieces)
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
