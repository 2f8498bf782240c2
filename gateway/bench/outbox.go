package bench

import (
	"net"
	"slices"

	"forebay/protocols/nfs/xdr"
)

const (
	slabSize = 64 << 10
	copyMax  = 1 << 10 // data up to here is copied beside its head: cheaper than one more piece
)

// batch gathers calls. Heads and small data lie in a slab, large data where the command has it.
type batch struct {
	pieces [][]byte
	slab   []byte
	from   int  // where in slab the last piece begins,
	open   bool // if it lies there
}

// grow returns n bytes, n <= slabSize, that will be sent next.
func (b *batch) grow(n int) []byte {
	if cap(b.slab)-len(b.slab) < n {
		b.slab, b.open = make([]byte, 0, slabSize), false // pieces keep the old one
	}
	at := len(b.slab)
	b.slab = b.slab[:at+n]
	if !b.open {
		b.from, b.open = at, true
		b.pieces = append(b.pieces, nil)
	}
	b.pieces[len(b.pieces)-1] = b.slab[b.from:]
	return b.slab[at:]
}

// add appends data with its padding. Large data must not change until it has been sent.
func (b *batch) add(p []byte) {
	if len(p) > copyMax {
		b.pieces, b.open = append(b.pieces, p), false
	} else {
		copy(b.grow(len(p)), p)
	}
	if n := xdr.Pad(len(p)); n > 0 {
		clear(b.grow(n))
	}
}

func (b *batch) empty() bool { return len(b.pieces) == 0 }

// consume takes off n bytes that have been sent.
func (b *batch) consume(n int) {
	done := 0
	for done < len(b.pieces) && n >= len(b.pieces[done]) {
		n -= len(b.pieces[done])
		done++
	}
	if done == len(b.pieces) {
		b.reset()
		return
	}
	b.pieces = slices.Delete(b.pieces, 0, done)
	b.pieces[0] = b.pieces[0][n:]
}

func (b *batch) reset() {
	clear(b.pieces)
	*b = batch{pieces: b.pieces[:0], slab: b.slab[:0]}
}

// cork says that the reader will send what is submitted from now on.
func (p *pipe) cork() {
	p.mu.Lock()
	p.mu.corked = true
	p.mu.Unlock()
}

// flush sends what has gathered while the reader dispatched. It doesn't wait: the server might wait for us to read. What does not go at
// once is the writer's.
func (p *pipe) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.corked = false
	if p.mu.writing || p.mu.out.empty() {
		return // a writer that is writing looks again
	}
	p.take()
	p.mu.Unlock()
	n := p.now.Write(p.batch.pieces)
	p.mu.Lock()
	p.batch.consume(n)
	p.mu.handover = !p.batch.empty()
	p.mu.writing = p.mu.handover
	if p.mu.handover || !p.mu.out.empty() {
		p.mu.news.Signal()
	}
}

// take makes what has gathered the batch that is written. p.mu is held, writing is false.
func (p *pipe) take() {
	p.mu.writing = true
	p.batch, p.mu.out = p.mu.out, p.batch
}

// write is the writer.
func (p *pipe) write() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for p.mu.err == nil && !p.mu.handover && (p.mu.writing || p.mu.corked || p.mu.out.empty()) {
			p.mu.news.Wait()
		}
		if p.mu.err != nil {
			return
		}
		if !p.mu.handover {
			p.take()
		}
		p.mu.Unlock()
		pieces := net.Buffers(p.batch.pieces)
		if _, err := pieces.WriteTo(p.conn); err != nil {
			p.conn.Close() // the reader tells
		}
		p.mu.Lock()
		p.batch.reset()
		p.mu.writing, p.mu.handover = false, false
	}
}
