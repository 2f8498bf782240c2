package initiator

import (
	"fmt"
	"net"
	"slices"

	"forebay/protocols/iscsi"
	"forebay/protocols/sock"
)

const (
	slabSize = 64 << 10
	copyData = 1 << 10 // data up to here is copied beside its header: cheaper than one more vector
)

// outbox gathers what is to be sent. Headers and small data lie in a slab, large data where the caller has it. Guarded by
// Session.mu until the writer has taken it.
type outbox struct {
	vec    [][]byte
	slab   []byte
	mark   int // where in slab the last of vec begins; -1: it lies elsewhere
	owners []owner
	echoes int // answers to NOP-In

	complete []*Command // scratch of written
}

// owner is a reference of the batch to the data of a command.
type owner struct {
	command *Command
	solicit bool // it ends an R2T
}

// grow returns n bytes, n <= slabSize, that will be sent next.
func (o *outbox) grow(n int) []byte {
	if cap(o.slab)-len(o.slab) < n {
		o.slab = make([]byte, 0, slabSize) // vec keeps the old one
		o.mark = -1
	}
	at := len(o.slab)
	o.slab = o.slab[:at+n]
	if o.mark < 0 || len(o.vec) == 0 {
		o.mark = at
		o.vec = append(o.vec, nil)
	}
	o.vec[len(o.vec)-1] = o.slab[o.mark:]
	return o.slab[at:]
}

// header returns a zeroed header that will be sent next.
func (o *outbox) header() iscsi.Header {
	h := o.grow(iscsi.HeaderLength)
	clear(h)
	return h
}

// data adds p with its padding and, if wanted, its digest. It returns whether it keeps p.
func (o *outbox) data(p []byte, digest bool) bool {
	keep := len(p) > copyData
	if keep {
		o.vec = append(o.vec, p)
		o.mark = -1
	} else {
		copy(o.grow(len(p)), p)
	}
	if n := iscsi.Pad(len(p)); n > 0 {
		clear(o.grow(n))
	}
	if digest {
		var zeros [4]byte
		crc := iscsi.Digest(iscsi.Digest(0, p), zeros[:iscsi.Pad(len(p))])
		iscsi.PutDigest(o.grow(4), crc)
	}
	return keep
}

func (o *outbox) empty() bool { return len(o.vec) == 0 }

// consume takes off n bytes that are written.
func (o *outbox) consume(n int) {
	done := 0
	for done < len(o.vec) && n >= len(o.vec[done]) {
		n -= len(o.vec[done])
		done++
	}
	if done < len(o.vec) {
		o.vec[done] = o.vec[done][n:]
	}
	o.vec = slices.Delete(o.vec, 0, done)
}

func (o *outbox) clear() {
	clear(o.vec)
	clear(o.owners)
	clear(o.complete)
	*o = outbox{vec: o.vec[:0], slab: o.slab[:0], mark: -1, owners: o.owners[:0], complete: o.complete[:0]}
}

// seal closes a header that is complete: nothing may be added before. s.mu is held.
func (s *Session) seal(h iscsi.Header) {
	if s.params.HeaderDigest {
		crc := iscsi.Digest(0, h[:iscsi.HeaderLength])
		iscsi.PutDigest(s.mu.out.grow(4), crc)
	}
}

// kick wakes the writer, unless the reader will. s.mu is held.
func (s *Session) kick() {
	if !s.mu.corked {
		s.mu.wake.Signal()
	}
}

// writeLoop sends what gathers, until the session fails.
func (s *Session) writeLoop() {
	var vec net.Buffers
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for s.mu.err == nil && !s.mu.handover && (s.mu.writing || s.mu.corked || s.mu.out.empty()) {
			s.mu.wake.Wait()
		}
		if s.mu.err != nil {
			return
		}
		if !s.mu.handover {
			s.takeBatch()
		}
		s.mu.handover = false
		s.mu.Unlock()
		err := s.write(&vec)
		s.mu.Lock()
		s.written()
		if err != nil {
			s.mu.Unlock()
			s.fail(fmt.Errorf("connection lost: %w", err))
			s.mu.Lock()
			return
		}
	}
}

func (s *Session) write(vec *net.Buffers) error {
	*vec = sock.Rest(s.batch.vec, s.now.Write(s.batch.vec))
	if len(*vec) == 0 {
		return nil
	}
	_, err := vec.WriteTo(s.conn)
	return err
}

// written lets go of the data of the batch and completes the commands that waited for that. s.mu is held, but not while Done runs;
// the batch stays the caller's until the end.
func (s *Session) written() {
	batch := &s.batch
	s.mu.echoes -= batch.echoes
	for _, o := range batch.owners {
		c := o.command
		c.held--
		if o.solicit {
			c.solicits--
		}
		if c.held == 0 && c.state == finished {
			s.release(c)
			batch.complete = append(batch.complete, c)
		}
	}
	if len(batch.complete) > 0 {
		s.mu.Unlock()
		for _, c := range batch.complete {
			c.Done(c)
		}
		s.mu.Lock()
	}
	batch.clear()
	s.mu.writing = false
	if !s.mu.out.empty() {
		s.kick()
	}
}
