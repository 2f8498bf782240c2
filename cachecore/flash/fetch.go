package flash

import (
	"context"
	"sync/atomic"

	"forebay/cachecore"
)

// fetch is a transfer from the device under way. It goes on when its reader gives up, so its memory is the store's own.
type fetch struct {
	transfer
	s       *Store
	p       []byte
	err     error         // set before done is closed
	done    chan struct{} // closed when p is filled, or can't be
	holders atomic.Int32  // of p: the reader and the goroutine
}

// fetchAll brings transfers into a request, those from the device at the same time, and takes what could not be brought out of found.
func (s *Store) fetchAll(ctx context.Context, list []transfer, into []byte, found *Found) error {
	var under []*fetch
	for _, t := range list {
		if t.buf == nil {
			under = append(under, s.start(t))
			continue
		}
		at := int(t.block-s.layout.block(s.layout.slotOf(t.block), 0)) * blockSize
		t.deliver(t.buf.mem[at:], into, found)
		t.unpin()
	}
	var err error
	for _, f := range under {
		select {
		case <-f.done:
		case <-s.health.failed:
			f.abandon(found)
			continue
		case <-ctx.Done():
			err = ctx.Err()
			f.abandon(found)
			continue
		}
		if f.err == nil {
			f.deliver(f.p, into, found)
		} else {
			f.lose(found)
		}
		f.release()
	}
	return err
}

// start has a transfer read.
func (s *Store) start(t transfer) *fetch {
	f := &fetch{transfer: t, s: s, done: make(chan struct{})}
	f.holders.Store(2)
	s.spawn(func() {
		f.err = f.read()
		f.unpin()
		close(f.done)
		f.release()
	})
	return f
}

func (f *fetch) read() error {
	var p [1][]byte
	if err := f.s.pool.Acquire(f.s.life, p[:], []int{len(f.sums) * blockSize}); err != nil {
		return ErrFailed
	}
	f.p = p[0]
	return f.s.dev.ReadAt(f.p, offset(f.block))
}

func (f *fetch) release() {
	if f.holders.Add(-1) == 0 {
		f.s.pool.Put(f.p)
	}
}

// abandon leaves the goroutine alone with it.
func (f *fetch) abandon(found *Found) {
	f.lose(found)
	f.release()
}

func (t *transfer) lose(found *Found) {
	for i := range t.sums {
		found.clear(t.at + i)
	}
}

// deliver copies the blocks whose checksums are right. The line of one that isn't is forgotten.
func (t *transfer) deliver(from, into []byte, found *Found) {
	for i, sum := range t.sums {
		p := from[i*blockSize:][:blockSize]
		to := into[(t.at+i)*blockSize:][:blockSize]
		// The copy is checked, not the original: what is served is what was verified.
		if copy(to, p); checksum(to) != sum {
			found.clear(t.at + i)
			t.mismatch(t.first + cachecore.Block(t.at+i))
		}
	}
}

func (t *transfer) mismatch(b cachecore.Block) {
	s := t.object.s
	s.count.mismatches.Add(1)
	line, _, _ := lineOf(b)
	s.distrust(t.object.shard(line), t.object.id.Load(), line)
}
