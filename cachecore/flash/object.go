package flash

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
)

// Object is an attached address space. It is safe for concurrent use.
type Object struct {
	s     *Store
	key   Key
	hash  uint64
	epoch cachecore.Epoch

	id      atomic.Uint32 // changes with a Drop; 0: nothing can be cached
	dropped atomic.Uint64 // ticket of the last Drop

	naming   sync.Mutex // held while the number changes; before objects.mu
	detached bool       // a drop that is under way has no use of its number; guarded by naming
}

// Attach begins to serve an object under the epoch now. What the device has of it counts if all of it was offered under epochs from since on:
// since is the first epoch of an ownership without a gap, during which nobody has written to the object but through this store (PROTOCOL
// G3). Otherwise it is dropped, which may take a durable write. Nothing of an object is served before it is attached.
//
// ErrFull: there are too many objects. If nobody uses some of them, room is made, for a later call.
//
// Attached again without a gap, older handles go on beside the new one; after a gap, or a Drop by another handle, they find nothing, and nobody may
// write by them.
func (s *Store) Attach(ctx context.Context, k Key, since, now cachecore.Epoch) (*Object, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	if s.health.down.Load() {
		return nil, ErrFailed
	}
	o := &Object{s: s, key: k, hash: s.hash(k), epoch: now}
	if id, known := s.objects.find(k); id != 0 && (known.oldest < since || known.epoch > now) {
		if err := o.drop(ctx, id); err != nil {
			o.Detach()
			return nil, fmt.Errorf("attach: %w", err)
		}
	} else {
		o.id.Store(s.objects.attach(k, now))
	}
	if o.id.Load() == 0 {
		s.fill.crowd()
		return nil, ErrFull
	}
	o.dropped.Store(s.droppedAt(k, o.hash)) // the mark of a drop may be on its way yet, if who waited for it has given up
	return o, nil
}

// Drop forgets all that is cached of the object, for good: as an Invalidate of everything.
func (o *Object) Drop(ctx context.Context) error {
	s := o.s
	if s.left.Load() {
		return nil
	}
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	return o.drop(ctx, o.id.Load())
}

// drop gives the object a new number, under which nothing is found, and marks all that was written under the old one. The mark comes before the number: who
// writes finds either what it is about, or that it is to be waited for.
func (o *Object) drop(ctx context.Context, id uint32) error {
	o.s.objects.drop(id)
	if !o.s.health.down.Load() {
		o.dropped.Store(o.s.markWhole(o.key, o.hash))
	}
	o.rename()
	return o.s.settle(ctx, o.dropped.Load())
}

func (o *Object) rename() {
	o.naming.Lock()
	defer o.naming.Unlock()
	o.s.objects.drop(o.id.Load()) // another drop may have been faster
	o.id.Store(o.s.objects.rename(o.key, o.epoch))
	if o.detached {
		o.s.objects.detach(o.id.Load())
	}
}

func (s *Store) markWhole(k Key, hash uint64) uint64 {
	sh := s.shardOf(hash, wholeObject)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.covers(sh, extent{k, wholeObject}, s.sealed.Load()+1)
}

// droppedAt is the ticket of that mark, if there is one.
func (s *Store) droppedAt(k Key, hash uint64) uint64 {
	sh := s.shardOf(hash, wholeObject)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.marks[extent{k, wholeObject}].ticket
}

// Detach ends the use of the handle. What is cached stays, for the next Attach.
func (o *Object) Detach() {
	o.naming.Lock()
	defer o.naming.Unlock()
	o.detached = true
	o.s.objects.detach(o.id.Load())
}

// number is under which the object's blocks are found; 0: nothing is, as another handle has dropped it.
func (o *Object) number() uint32 {
	id := o.id.Load()
	if _, ok := o.s.objects.get(id); !ok {
		return 0
	}
	return id
}

func (o *Object) shard(line uint32) *shard { return o.s.shardOf(o.hash, extentOf(line)) }

func (s *Store) hash(k Key) uint64 {
	return mix(le.Uint64(k[:8])^s.seed) ^ mix(le.Uint64(k[8:])+s.seed)
}

// shardOf is where all of an extent is.
func (s *Store) shardOf(hash uint64, extent uint32) *shard {
	return &s.shards[mix(hash+uint64(extent))&uint64(len(s.shards)-1)]
}
