package ram

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"forebay/cachecore"
)

// The errors of Resize.
var (
	ErrSize   = errors.New("a size that the store can't have")
	ErrPinned = errors.New("some of it is in use yet")
	ErrClosed = errors.New("the store is closed")
)

// step is what one hold of a shard's lock does of a resize, in slots.
const step = 128

// leastSlots a shard keeps, where there is more than one: what its runs under way need, and what a policy can work with.
const leastSlots = 256

// Limits are the sizes that it can have, in bytes.
func (s *Store) Limits() (least, most int64) {
	slots := int64(leastSlots)
	if len(s.shards) == 1 {
		slots = RunBlocks
	}
	each := int64(len(s.shards)) * cachecore.BlockSize
	return slots * each, int64(s.slots) * each
}

// Resize makes the store use that many bytes, rounded down to a block for each shard, while it serves. What lies beyond is forgotten at once, and its
// memory given back when nobody uses it any more, for which Resize waits: until ctx ends, if it has to; then the store has the new size, but not all of
// the memory is given back, nor taken, until Resize is called again.
func (s *Store) Resize(ctx context.Context, bytes int64) error {
	if least, most := s.Limits(); bytes < least || bytes > most {
		return fmt.Errorf("%w: it is from %d to %d bytes", ErrSize, least, most)
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.pass()
	if s.closed {
		return ErrClosed
	}
	slots := uint32(bytes / cachecore.BlockSize / int64(len(s.shards)))
	for i := range s.shards {
		s.shards[i].shrink(slots)
	}
	s.count()
	var errs []error
	for i := range s.shards {
		errs = append(errs, s.settle(ctx, i, slots))
	}
	s.count()
	return errors.Join(errs...)
}

// settle gives back what a shard has left, and has it grow.
func (s *Store) settle(ctx context.Context, i int, slots uint32) error {
	sh := &s.shards[i]
	if err := sh.wait(ctx); err != nil {
		return err
	}
	if from, to := sh.trim(); from < to {
		if err := s.ranges(i, from, to, (*space).leave); err != nil {
			return fmt.Errorf("give memory back: %w", err)
		}
	}
	if slots <= sh.limit { // which nobody else changes
		return nil
	}
	if err := s.ranges(i, sh.limit, slots, (*space).use); err != nil {
		return fmt.Errorf("take memory: %w", err)
	}
	sh.grow(slots)
	return nil
}

func (s *Store) ranges(shard int, from, to uint32, f func(space *space, from, to int) error) error {
	if s.space == nil {
		return nil
	}
	return s.layout.ranges(shard, from, to, func(from, to int) error { return f(s.space, from, to) })
}

// prepare makes slots ready to be added. They have memory, and nobody else knows of it yet.
func (sh *shard) prepare(from, to uint32) {
	for slot := from; slot < to; slot++ {
		sh.next[slot], sh.prev[slot] = slot-1, slot+1
		sh.refs[slot].Store(idling)
		sh.buckets[slot] = none
	}
}

// add puts prepared slots into use, behind those that are free already, the lowest first.
func (sh *shard) add(to uint32) {
	first, last := sh.limit, to-1
	sh.next[first], sh.prev[last] = sh.free.oldest, none
	if sh.free.oldest != none {
		sh.prev[sh.free.oldest] = first
	} else {
		sh.free.newest = first
	}
	sh.free.oldest = last
	sh.free.n += int(to - first)
	sh.limit, sh.backed = to, to
}

// grow adds slots that have memory, and then a bucket for each, some at a time.
func (sh *shard) grow(to uint32) {
	sh.prepare(sh.limit, to)
	fit := sh.policy.fit(int(to))
	sh.mu.Lock()
	sh.add(to)
	fit()
	sh.mu.Unlock()
	sh.rehash(to)
}

// rehash makes it that many buckets, some at a time.
func (sh *shard) rehash(buckets uint32) {
	for more := true; more; {
		sh.mu.Lock()
		for i := 0; i < step && sh.filed < buckets; i++ {
			sh.split()
		}
		for i := 0; i < step && sh.filed > buckets; i++ {
			sh.merge()
		}
		more = sh.filed != buckets
		sh.letOthers()
	}
}

// shrink has the slots from a limit on leave, if there are, and forgets what they have, some at a time.
func (sh *shard) shrink(limit uint32) {
	old := sh.limit
	if limit >= old {
		return
	}
	fit := sh.policy.fit(int(limit))
	sh.mu.Lock()
	if sh.leaving == 0 {
		sh.vacant = make(chan struct{})
	}
	sh.leaving += old - limit
	sh.limit = limit
	fit()
	sh.mu.Unlock()
	for from := limit; from < old; from += min(step, old-from) {
		sh.mu.Lock()
		for slot := from; slot < min(from+step, old); slot++ {
			sh.expel(slot)
		}
		sh.letOthers()
	}
}

// letOthers ends a hold of the lock between steps: who waits for it would find it taken again, until the mutex notices after a millisecond.
func (sh *shard) letOthers() {
	sh.mu.Unlock()
	runtime.Gosched()
}

// expel makes a slot that is leaving unknown to all. What is in a Batch, or detached, goes by itself when its holder is done.
func (sh *shard) expel(slot uint32) {
	switch {
	case sh.refs[slot].Load() == idling:
		sh.free.remove(slot)
		sh.left()
	case sh.holds(slot):
		sh.evictions++
		sh.drop(slot)
	}
}

// left counts one that has left.
func (sh *shard) left() {
	if sh.leaving--; sh.leaving == 0 {
		close(sh.vacant)
	}
}

// wait returns when nobody uses a slot any more that was to leave, or with what is in use when ctx ends.
func (sh *shard) wait(ctx context.Context) error {
	sh.mu.Lock()
	leaving, vacant := sh.leaving, sh.vacant
	sh.mu.Unlock()
	if leaving == 0 {
		return nil
	}
	select {
	case <-vacant:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %d bytes: %w", ErrPinned, int64(leaving)*cachecore.BlockSize, ctx.Err())
	}
}

// trim takes the buckets of slots that have left away, and returns the slots that do without memory from then on.
func (sh *shard) trim() (from, to uint32) {
	sh.rehash(min(sh.limit, sh.filed))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	from, to = sh.limit, sh.backed
	sh.backed = from
	return from, to
}
