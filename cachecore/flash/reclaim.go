package flash

import (
	"context"
	"slices"
)

// reclaim frees the oldest regions until enough slots are free. Its order is what keeps G3: first the region is declared gone, durably, while
// its pieces are still found and invalidations of them still marked; then they may be forgotten; only when nobody reads it is the slot free.
func (s *Store) reclaim() {
	for {
		if !s.fill.move(context.Background()) {
			return
		}
		slot, ok := s.fill.oldest()
		if !ok {
			s.fill.moved()
			return
		}
		err := s.reclaimRegion(slot)
		s.fill.moved()
		if err != nil {
			return // the guard has told all
		}
	}
}

// move takes the turn of who takes regions out of stored; moved gives it back.
func (f *fill) move(ctx context.Context) bool {
	select {
	case f.moving <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (f *fill) moved() { <-f.moving }

// oldest is the region to go next, if one has to.
func (f *fill) oldest() (slot uint32, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || len(f.stored) == 0 || !f.short() || f.s.health.down.Load() {
		f.evicting = false
		return 0, false
	}
	return f.stored[0], true
}

func (s *Store) reclaimRegion(slot uint32) error {
	r := s.region(slot)
	if err := s.ledger.wait(context.Background(), s.ledger.raise(r.seq+1)); err != nil {
		return err
	}
	if err := s.keepHot(slot); err != nil {
		return err
	}
	for i := range s.shards {
		s.forget(&s.shards[i], slot)
	}
	return s.release(slot)
}

// forget pops the pieces of a region off a shard's tail, some at a time.
func (s *Store) forget(sh *shard, slot uint32) {
	const some = 1024
	for more := true; more; {
		sh.mu.Lock()
		for range some {
			if more = s.forgetOne(sh, slot); !more {
				break
			}
		}
		sh.mu.Unlock()
	}
}

func (s *Store) forgetOne(sh *shard, slot uint32) bool {
	id, ok := sh.oldest()
	if !ok {
		return false
	}
	p := sh.piece(id)
	if !p.is(dead) && s.layout.slotOf(p[atBlock]) != slot {
		return false
	}
	object := p.object()
	sh.pop(p)
	s.objects.release(object, 1)
	return true
}

// release waits for the last reader of a region and makes its slot free.
func (s *Store) release(slot uint32) error {
	if drained := s.region(slot).drain(); drained != nil {
		select {
		case <-drained:
		case <-s.health.failed:
			return ErrFailed
		}
	}
	if err := s.discard(slot); err != nil {
		return err
	}
	f := &s.fill
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = slices.DeleteFunc(f.stored, func(other uint32) bool { return other == slot })
	f.crowded = false
	if slot < f.limit {
		f.free = append(f.free, slot)
	}
	f.news()
	return nil
}
