package flash

import (
	"context"
	"fmt"

	"forebay/cachecore/device"
)

// Close ends the store so that the next Open finds everything that is cached now. All objects are out of use: what is written to one from here
// on would not be known. After an error the end is an unclean one, and if that is ctx's, the device is still in use.
// One that was withdrawn has ended.
func (s *Store) Close(ctx context.Context) error {
	if s.over.Load() {
		return nil
	}
	if err := s.calls.Close(ctx); err != nil {
		return fmt.Errorf("close the flash tier: %w", err)
	}
	s.fill.close()
	if err := s.tasks.Close(ctx); err != nil {
		return fmt.Errorf("close the flash tier: %w", err)
	}
	err := s.health.reason()
	if err == nil {
		err = s.await(ctx, s.writeClean)
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("close the flash tier: %w", err)
	}
	s.health.down.Store(true)
	s.end()
	if freed := s.memory.Close(); err == nil {
		err = freed
	}
	if err != nil {
		return fmt.Errorf("close the flash tier: %w", err)
	}
	return nil
}

// close has what is in memory written, and nothing begun any more.
func (f *fill) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closing = true
	if f.current != nil {
		f.seal()
	}
}

// writeClean writes what is valid of each region, then the page that makes it count. Nothing else is under way.
func (s *Store) writeClean() error {
	if s.ledger.book.full() {
		if _, err := s.ledger.restate(); err != nil {
			return err
		}
	}
	number := s.ledger.book.number + 1
	p := device.Buffer(blockSize)
	walks := make([]place, len(s.shards))
	for i := range s.shards {
		walks[i] = s.shards[i].tail
	}
	for _, slot := range s.fill.stored {
		v := validity{id: s.id, slot: slot, seq: s.region(slot).seq, number: number, bits: make([]byte, (s.layout.dataBlocks()+7)/8)}
		for i := range s.shards {
			s.validIn(&s.shards[i], &walks[i], slot, v.bits)
		}
		v.encode(p)
		if err := s.dev.WriteAt(p, offset(s.layout.block(slot, s.layout.validityAt()))); err != nil {
			return err
		}
	}
	if err := s.dev.Sync(); err != nil {
		return err
	}
	st := s.ledger.standing
	st.clean = true
	return s.ledger.book.append(st, nil)
}

// validIn walks over the pieces of the next region in a shard and sets the bits of their valid blocks.
func (s *Store) validIn(sh *shard, at *place, slot uint32, bits []byte) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for at.chunk != none && sh.settle(at) {
		p := sh.piece(at.chunk + at.at)
		if !p.is(dead) && s.layout.slotOf(p[atBlock]) != slot {
			return
		}
		if _, ok := s.objects.get(p.object()); ok && !p.is(dead) {
			for i := range lineBlocks {
				if p.valid()>>i&1 != 0 {
					at := p.block(i) - s.layout.block(slot, 0)
					bits[at/8] |= 1 << (at % 8)
				}
			}
		}
		at.at += uint32(len(p))
	}
}

// Withdraw takes the tier out while the gateway runs: nothing of it will be served again, here or after a restart. Objects may go on using
// their handles: everything is a miss. Until it returns, invalidations go on as before; after an error they do for good, and if that is
// ctx's, the device is still in use.
func (s *Store) Withdraw(ctx context.Context) error {
	err := s.await(ctx, func() error { return eraseSuperblocks(s.dev) })
	if err == nil {
		s.health.down.Store(true) // first: nothing is invalidated once it has left
		s.left.Store(true)
		err = s.calls.Close(ctx)
	}
	if err == nil {
		err = s.tasks.Close(ctx)
	}
	if err != nil {
		return fmt.Errorf("withdraw the flash tier: %w", err)
	}
	s.over.Store(true)
	s.end()
	return s.memory.Close()
}
