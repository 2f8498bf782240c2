package rpc

import (
	"net"

	"forebay/protocols/sock"
)

// owner is who has the memory of a message.
type owner interface {
	// left says that the outbox does not refer to the memory any more: it has been sent, or never will be. No lock is held.
	left()
}

// batch is what one writev sends.
type batch struct {
	slab   []byte // short heads and padding: never grown, as pieces point into it
	pieces [][]byte
	iov    net.Buffers // pieces, consumed by the write; nil: it hasn't begun
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

// begin takes off what has been written already.
func (b *batch) begin(written int) { b.iov = sock.Rest(b.pieces, written) }

// empty makes it one that others can be added to, and tells the owners.
func (b *batch) empty() {
	clear(b.pieces)
	b.pieces, b.slab, b.iov, b.bytes = b.pieces[:0], b.slab[:0], nil, 0
	for i, who := range b.owners {
		who.left()
		b.owners[i] = nil
	}
	b.owners = b.owners[:0]
}

func (b *batch) full() bool { return b.bytes >= batchBytes || len(b.pieces) >= batchPieces }
