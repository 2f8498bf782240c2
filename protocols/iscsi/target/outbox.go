package target

import (
	"net"
	"sync"

	"forebay/protocols/iscsi"
	"forebay/protocols/sock"
)

// outbox gathers PDUs and sends them with one writev. Any goroutine may add a PDU; who calls flush while nobody else writes becomes
// the writer, and sends what others add meanwhile too. Memory that a PDU refers to is kept until it has been sent: the task that
// owns it travels in the batch.
type outbox struct {
	to      net.Conn
	now     *sock.Writer // the writer's
	recycle func(*task)
	sent    func() // a batch has left

	headerDigest, dataDigest bool // set before the first response of the full feature phase

	mu        sync.Mutex
	gathering *batch // what is added to
	spare     *batch // the other one, when nobody writes
	writing   bool
	leaving   int   // bytes of the batch that is being written
	err       error // the connection can't be written any more
	statSN    uint32
	idle      sync.Cond // writing has become false
}

// batch is what one writev sends.
type batch struct {
	slots  []byte // headers, digests and padding: a slab that is never grown, as pieces point into it
	pieces [][]byte
	iov    net.Buffers // pieces, consumed by the write
	bytes  int
	tasks  []*task // recycled once sent
}

const (
	batchSlots  = 32 << 10
	batchBytes  = 1 << 20 // a batch of this many bytes is full; twice as many unsent are too many
	batchPieces = 512
)

func newBatch() *batch {
	return &batch{slots: make([]byte, 0, batchSlots), pieces: make([][]byte, 0, 2*batchPieces), tasks: make([]*task, 0, 256)}
}

func newOutbox(to net.Conn, recycle func(*task), sent func()) *outbox {
	o := &outbox{to: to, now: sock.NewWriter(to), recycle: recycle, sent: sent, gathering: newBatch(), spare: newBatch(), statSN: 1}
	o.idle.L = &o.mu
	return o
}

// slot returns n zeroed bytes that live until the batch is sent. A full slab is the rare case, and the heap serves it.
func (b *batch) slot(n int) []byte {
	at := len(b.slots)
	if cap(b.slots)-at < n {
		return make([]byte, n)
	}
	b.slots = b.slots[:at+n]
	p := b.slots[at : at+n]
	clear(p)
	return p
}

// add adds a piece of data.
func (b *batch) add(p []byte) {
	if len(p) > 0 {
		b.pieces = append(b.pieces, p)
		b.bytes += len(p)
	}
}

// addSlot adds a slot, to the piece before if that ends where the slot begins.
func (b *batch) addSlot(p []byte) {
	b.bytes += len(p)
	if n := len(b.pieces); n > 0 {
		if last := b.pieces[n-1]; cap(last) > len(last) && &last[:len(last)+1][len(last)] == &p[0] {
			b.pieces[n-1] = last[:len(last)+len(p)]
			return
		}
	}
	b.pieces = append(b.pieces, p)
}

func (b *batch) full() bool {
	return b.bytes >= batchBytes || len(b.pieces) >= batchPieces || len(b.slots) >= batchSlots*7/8
}

// header returns a slot for a header and its digest, for head. Preconditions: o.mu is held.
func (o *outbox) header(b *batch) iscsi.Header {
	n := iscsi.HeaderLength
	if o.headerDigest {
		n += 4
	}
	return iscsi.Header(b.slot(n))
}

// head finishes a header for a data segment of n bytes and adds it. The segment's pieces follow, then tail.
func (o *outbox) head(b *batch, h iscsi.Header, n int) {
	h.SetDataLength(n)
	if o.headerDigest {
		iscsi.PutDigest(h[iscsi.HeaderLength:], iscsi.Digest(0, h[:iscsi.HeaderLength]))
	}
	b.addSlot(h)
}

// tail adds padding and digest of a data segment of n bytes that lies in the given pieces.
func (o *outbox) tail(b *batch, n int, data [][]byte) {
	pad := iscsi.Pad(n)
	length := pad
	if o.dataDigest {
		length += 4
	}
	if length == 0 {
		return
	}
	p := b.slot(length)
	if o.dataDigest {
		crc := uint32(0)
		for _, d := range data {
			crc = iscsi.Digest(crc, d)
		}
		iscsi.PutDigest(p[pad:], iscsi.Digest(crc, p[:pad]))
	}
	b.addSlot(p)
}

// pdu adds a PDU whose header came from header; data is kept until it is sent. Preconditions: o.mu is held.
func (o *outbox) pdu(b *batch, h iscsi.Header, data []byte) {
	o.head(b, h, len(data))
	if len(data) > 0 {
		first := len(b.pieces)
		b.add(data)
		o.tail(b, len(data), b.pieces[first:])
	}
}

// nextStatSN numbers a response. Preconditions: o.mu is held.
func (o *outbox) nextStatSN() uint32 {
	n := o.statSN
	o.statSN++
	return n
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

// crowded says whether makeRoom would not return at once.
func (o *outbox) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tooMuch()
}

// tooMuch is crowded with mu held.
func (o *outbox) tooMuch() bool {
	return o.gathering.full() || o.gathering.bytes+o.leaving >= 2*batchBytes
}

// makeRoom returns when there is not too much unsent. The reader calls it before it takes another PDU: a peer that doesn't read its
// answers gets no more of them.
func (o *outbox) makeRoom() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.tooMuch() {
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

// write sends one batch. Preconditions: o.mu is held and nobody writes; it is released while the socket is written. What can't be
// sent is dropped, and its memory given back.
func (o *outbox) write() {
	b := o.gathering
	o.gathering, o.spare = o.spare, nil
	o.writing, o.leaving = true, b.bytes
	err := o.err
	o.mu.Unlock()

	if err == nil {
		if n := o.now.Write(b.pieces); n < b.bytes {
			b.iov = sock.Rest(b.pieces, n)
			_, err = b.iov.WriteTo(o.to)
		}
		if err == nil {
			o.sent()
		}
	}
	clear(b.pieces)
	b.pieces, b.slots, b.bytes = b.pieces[:0], b.slots[:0], 0
	for i, t := range b.tasks {
		o.recycle(t)
		b.tasks[i] = nil
	}
	b.tasks = b.tasks[:0]

	o.mu.Lock()
	o.spare = b
	o.writing, o.leaving = false, 0
	if err != nil {
		o.err = err
	}
	o.idle.Broadcast()
}
