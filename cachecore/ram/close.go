package ram

import (
	"context"

	"forebay/cachecore"
)

// Close drops everything, takes nothing any more, and waits until the last pin and Batch is given back or ctx ends. After nil the memory
// is the caller's again, or gone if it was the store's own. It is called once.
func (s *Store) Close(ctx context.Context) error {
	for i := range s.shards {
		s.shards[i].close()
	}
	for i := range s.shards {
		select {
		case <-s.shards[i].idle: // when ctx has ended too
			continue
		default:
		}
		select {
		case <-s.shards[i].idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.pass()
	s.closed = true
	for i := range s.shards {
		s.shards[i].end()
	}
	if s.space == nil {
		return nil
	}
	return s.space.unmap()
}

func (sh *shard) close() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for slot := range sh.backed {
		if sh.holds(slot) {
			sh.drop(slot)
		}
	}
	sh.closed = true
	if sh.out == 0 {
		close(sh.idle)
	}
}

// end leaves a shard in which nothing is found, and that does without its memory.
func (sh *shard) end() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.buckets = []uint32{none}
	sh.setBuckets(1)
	sh.limit, sh.backed = 0, 0
}

// take waits for its turn to resize the store, which it gets without waiting when ctx has ended too.
func (s *Store) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) pass() { <-s.turn }

// count notes the size.
func (s *Store) count() {
	slots := int64(0)
	for i := range s.shards {
		s.shards[i].mu.Lock()
		slots += int64(s.shards[i].limit)
		s.shards[i].mu.Unlock()
	}
	s.size.Store(slots * cachecore.BlockSize)
}
