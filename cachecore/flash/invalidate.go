package flash

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
)

// Invalidate forgets blocks that are about to be written. It returns nil when the write may go to the array: after an unclean restart too,
// nothing of what was cached of them will be served (PROTOCOL G3). It waits for a small durable write where one is needed: the first time in
// 4 MiB that were cached since. After an error the write must not go.
//
// When the device fails, or is too slow, it waits until the device is condemned instead.
func (o *Object) Invalidate(ctx context.Context, first cachecore.Block, n uint64) error {
	s := o.s
	if s.left.Load() {
		return nil
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	ticket := uint64(0)
	switch {
	case s.health.down.Load():
	case n > uint64(len(*s.regions.Load()))*uint64(s.layout.regionBlocks):
		return o.drop(ctx, o.id.Load()) // cheaper than to look for more than there can be
	default:
		ticket = o.invalidate(first, n)
	}
	return s.settle(ctx, ticket)
}

// InvalidateNow is an Invalidate that does not wait; false: it would have to, and Invalidate is to be called.
func (o *Object) InvalidateNow(first cachecore.Block, n uint64) bool {
	s := o.s
	if s.left.Load() || s.health.condemned.Load() {
		return true
	}
	if s.health.down.Load() || n > uint64(len(*s.regions.Load()))*uint64(s.layout.regionBlocks) || !s.enter() {
		return false
	}
	defer s.leave()
	return s.ledger.has(o.invalidate(first, n)) && s.health.reason() == nil
}

// settle waits for a ticket, or for the end of all that it is about.
func (s *Store) settle(ctx context.Context, ticket uint64) error {
	err := ErrFailed
	if s.health.reason() == nil {
		err = s.ledger.wait(ctx, ticket)
	}
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, ErrFailed):
		return fmt.Errorf("invalidate: %w", err)
	case s.health.condemned.Load():
		return nil
	default:
		return s.health.condemn(ctx, s.options.Condemn)
	}
}

// invalidate returns the latest ticket of the marks that it needs, or that others need for the same extents.
func (o *Object) invalidate(first cachecore.Block, n uint64) uint64 {
	object := o.id.Load() // first: a drop has its ticket noted before it changes the number
	ticket := o.dropped.Load()
	for n > 0 {
		line, i, ok := lineOf(first)
		if !ok {
			break
		}
		part := min(n, uint64((extentLines-line%extentLines)*lineBlocks-uint32(i)))
		ticket = max(ticket, o.s.invalidate(o.shard(line), o.key, object, first, uint32(part)))
		first, n = first+cachecore.Block(part), n-part
	}
	return ticket
}

// invalidate forgets blocks of one extent.
func (s *Store) invalidate(sh *shard, k Key, object uint32, first cachecore.Block, n uint32) uint64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	line, i, _ := lineOf(first)
	x, needs := extent{k, extentOf(line)}, seq(0)
	for ; n > 0; line, i = line+1, 0 {
		part := min(n, uint32(lineBlocks-i))
		needs = max(needs, s.removes(sh, object, line, blocks((1<<part-1)<<i)))
		n -= part
	}
	return s.covers(sh, x, needs)
}

// removes makes blocks of a line invalid and returns below which region a mark is needed for that; 0: there were none.
//
// Older copies of a block may lie in any region that is composed, whatever region the one that is found is in. In a region that isn't
// composed yet, its footer will not have it.
func (s *Store) removes(sh *shard, object, line uint32, b blocks) seq {
	needs := seq(0)
	sh.each(object, line, func(p piece, id uint32) {
		if p.valid()&b == 0 {
			return
		}
		needs = max(needs, min(s.regionOf(p[atBlock]).seq, s.sealed.Load())+1)
		if sh.clear(p, b); p.valid() == 0 {
			sh.unlink(p, id)
		}
	})
	return needs
}

// replaces marks the older copies of blocks that are published anew, of which a footer says that they are valid: two may have brought a block at the same time.
// If the newer copy leaves before the older one (vacateRegion), who writes to the block finds nothing to invalidate.
func (s *Store) replaces(sh *shard, p piece, b blocks) {
	needs := seq(0)
	sh.each(p.object(), p.line(), func(old piece, _ uint32) {
		if r := s.regionOf(old[atBlock]); old.valid()&b != 0 && r.seq <= s.sealed.Load() {
			needs = max(needs, r.seq+1)
		}
	})
	if ob, ok := s.objects.get(p.object()); ok && needs > 0 {
		s.covers(sh, extent{ob.key, extentOf(p.line())}, needs)
	}
}

// covers returns the ticket of an extent's mark, a new one if the one there is doesn't reach. Who needs none still waits for one that is on
// its way: it may be about the same blocks.
func (s *Store) covers(sh *shard, x extent, needs seq) uint64 {
	m := sh.marks[x]
	if needs <= m.below || needs <= s.void.Load() {
		return m.ticket
	}
	m.below = s.sealed.Load() + 1
	m.ticket = s.ledger.put(entry{x, m.below})
	sh.marks[x] = m
	return m.ticket
}

// distrust forgets a line whose content isn't what was written. Its mark is as needed as that of a write: who writes to it later finds nothing
// to invalidate, and what is on the device may be readable again. Nobody waits for it here; who writes, does.
func (s *Store) distrust(sh *shard, object, line uint32) {
	ob, ok := s.objects.get(object)
	if !ok {
		return
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.covers(sh, extent{ob.key, extentOf(line)}, s.removes(sh, object, line, 1<<lineBlocks-1))
}
