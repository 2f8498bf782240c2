package flash

import (
	"context"
	"fmt"
	"slices"
)

// Resize makes the tier use that many bytes of the device, while it runs. What lay in regions beyond is forgotten. The index grows with it, but
// does not shrink before the next Open. After an error it may be called again, and until then regions in between are not used.
func (s *Store) Resize(ctx context.Context, bytes int64) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	select {
	case s.resizing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("resize to %d bytes: %w", bytes, ctx.Err())
	}
	defer func() { <-s.resizing }()
	slots := s.layout.slotsIn(min(bytes, s.dev.Size()))
	if slots < minSlots {
		return fmt.Errorf("resize to %d bytes: %w", bytes, ErrTooSmall)
	}
	old := s.fill.limitTo(slots)
	if err := s.vacate(ctx, slots); err != nil {
		return fmt.Errorf("resize to %d bytes: %w", bytes, err)
	}
	if err := s.ledger.wait(ctx, s.ledger.count(slots)); err != nil {
		return fmt.Errorf("resize to %d bytes: %w", bytes, err)
	}
	if slots > old {
		s.growIndex(slots)
		s.fill.extend(old, slots)
	}
	return nil
}

// limitTo takes the slots beyond out of use, where they are not in use.
func (f *fill) limitTo(slots uint32) (old uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old = f.limit; slots >= old {
		return old
	}
	f.limit = slots
	f.free = slices.DeleteFunc(f.free, func(slot uint32) bool { return slot >= slots })
	if f.current != nil && f.current.slot >= slots {
		f.seal()
	}
	return old
}

// extend adds slots. One that an earlier Resize failed to vacate is in use yet.
func (f *fill) extend(old, slots uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.s.addRegions(slots)
	for slot := old; slot < slots; slot++ {
		if !f.uses(slot) {
			f.free = append(f.free, slot)
		}
	}
	f.news()
}

func (f *fill) uses(slot uint32) bool {
	written := func(b *builder) bool { return b.slot == slot }
	return slices.Contains(f.stored, slot) || slices.ContainsFunc(f.sealed, written)
}

// vacate forgets the regions beyond, and waits for those that are being written.
func (s *Store) vacate(ctx context.Context, slots uint32) error {
	for {
		slot, state, changed := s.fill.beyond(slots)
		switch state {
		case nobodyThere:
			return nil
		case beingWritten:
			select {
			case <-changed:
			case <-s.health.failed:
				return ErrFailed
			case <-ctx.Done():
				return ctx.Err()
			}
		case storedThere:
			if err := s.await(ctx, func() error { return s.vacateRegion(ctx, slot) }); err != nil {
				return err
			}
		}
	}
}

type occupancy int

const (
	nobodyThere occupancy = iota
	beingWritten
	storedThere
)

// beyond finds a region to be vacated.
func (f *fill) beyond(slots uint32) (uint32, occupancy, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, slot := range f.stored {
		if slot >= slots {
			return slot, storedThere, nil
		}
	}
	for _, b := range f.sealed {
		if b.slot >= slots {
			return b.slot, beingWritten, f.changed
		}
	}
	return 0, nobodyThere, nil
}

// vacateRegion is a reclaim out of turn: the floor can't tell of it, so its footer is erased. Its pieces stay in the index, dead, until those
// before them are gone.
func (s *Store) vacateRegion(ctx context.Context, slot uint32) error {
	if !s.fill.move(ctx) {
		return ctx.Err()
	}
	defer s.fill.moved()
	if !s.fill.has(slot) {
		return nil // reclaimed meanwhile
	}
	if err := s.dev.WriteDurable(zeroes, offset(s.layout.block(slot, s.layout.footerAt()))); err != nil {
		return err
	}
	for i := range s.shards {
		s.shards[i].kill(s.layout, slot)
	}
	return s.release(slot)
}

func (f *fill) has(slot uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.stored, slot)
}

// kill makes the pieces of a region dead, some at a time. Nobody else moves the tail meanwhile.
func (sh *shard) kill(l layout, slot uint32) {
	const some = 4096
	sh.mu.Lock()
	at := sh.tail
	sh.mu.Unlock()
	for more := at.chunk != none; more; {
		sh.mu.Lock()
		for range some {
			if more = sh.settle(&at); !more {
				break
			}
			id := at.chunk + at.at
			p := sh.piece(id)
			at.at += uint32(len(p))
			if !p.is(dead) && l.slotOf(p[atBlock]) == slot {
				if p.is(linked) {
					sh.unlink(p, id)
				}
				p[atState] |= dead
			}
		}
		sh.mu.Unlock()
	}
}
