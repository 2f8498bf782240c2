package flash

import (
	"sync"
	"sync/atomic"
)

// region is one of the equal parts that the device's space is written and reused in. A slot is its place; the table of slots is replaced when
// the tier grows.
//
// Its number is set when it is begun, before any piece of it exists, and read by who has found a piece of it under the shard's lock: all
// pieces of the old number are gone before a new one is set.
type region struct {
	seq seq

	mu      sync.Mutex    // a leaf
	buf     *buffer       // until all of it is on the device
	pins    int           // reads of the device that are under way
	drained chan struct{} // made by drain; closed with the last pin
}

// pin keeps what was found in a region where it is: in the buffer that it returns, or, if that is nil, on the device.
func (r *region) pin() *buffer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buf != nil {
		r.buf.refs.Add(1)
		return r.buf
	}
	r.pins++
	return nil
}

// unpin gives a pin of the device back; a buffer is released instead.
func (r *region) unpin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pins--; r.pins == 0 && r.drained != nil {
		close(r.drained)
		r.drained = nil
	}
}

// drain returns a channel that closes when nobody reads the region any more, or nil. Nobody finds it by now.
func (r *region) drain() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pins == 0 {
		return nil
	}
	r.drained = make(chan struct{})
	return r.drained
}

// settle lets go of the buffer: the device has all of it.
func (r *region) settle() {
	r.mu.Lock()
	b := r.buf
	r.buf = nil
	r.mu.Unlock()
	b.release()
}

// buffer is the memory of one region that is being filled or written. Its region and its readers hold it; the last gives it back.
type buffer struct {
	mem  []byte
	refs atomic.Int32
	home *fill
}

func (b *buffer) release() {
	if b.refs.Add(-1) == 0 {
		b.home.take(b)
	}
}

// block is one block of it.
func (b *buffer) block(at uint32) []byte {
	from := int(at) * blockSize
	return b.mem[from : from+blockSize : from+blockSize]
}

func (s *Store) region(slot uint32) *region { return (*s.regions.Load())[slot] }

// regionOf is the region that a block of the device lies in.
func (s *Store) regionOf(block uint32) *region { return s.region(s.layout.slotOf(block)) }
