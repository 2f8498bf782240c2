package export

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/flash"
	"forebay/cachecore/volume"
)

// kept is the second level of a file's cache: what a flash store has under a key. To drop it is to take another key, which waits for nothing; what is
// left behind goes with its regions. What a key leads to is found again by who knows the key (witnesses.Witness).
type kept struct {
	export *Export
	open   atomic.Bool           // it takes what is offered
	under  atomic.Pointer[under] // nil: nothing has been offered since the last drop
}

// under is a key, of a store.
type under struct {
	object *flash.Object
	store  flash.ID
	key    flash.Key
}

// keys are those that are in use. A node that was put away may still be at its end when there is another one of the same file: they don't share a key, as
// nobody invalidates for both.
type keys struct {
	mu    sync.Mutex
	inUse map[flash.Key]bool
}

func (k *keys) take(key flash.Key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.inUse[key] {
		return false
	}
	if k.inUse == nil {
		k.inUse = map[flash.Key]bool{}
	}
	k.inUse[key] = true
	return true
}

func (k *keys) give(key flash.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.inUse, key)
}

// newKept makes a file's; nil: there is no flash.
func (e *Export) newKept() *kept {
	if e.flash() == nil {
		return nil
	}
	k := &kept{export: e}
	k.open.Store(e.opts.Witnesses == nil)
	return k
}

// flash is the store that there is now, or nil.
func (e *Export) flash() *flash.Store {
	if e.opts.Flash == nil {
		return nil
	}
	return e.opts.Flash()
}

// attach goes on under a key of a store; nil: it can't be had. There may be too many objects, or the device may have failed. Nobody has seen k yet, or
// nothing is under way in it.
func (k *kept) attach(s *flash.Store, key flash.Key) *under {
	if !k.export.keys.take(key) {
		return nil
	}
	object, err := s.Attach(context.Background(), key, 0, 0)
	if err != nil {
		k.export.keys.give(key)
		return nil
	}
	u := &under{object, s.ID(), key}
	if !k.under.CompareAndSwap(nil, u) {
		u.end(k.export)
		return k.under.Load()
	}
	return u
}

func (u *under) end(e *Export) {
	u.object.Detach()
	e.keys.give(u.key)
}

// Contains implements volume.Flash.
func (k *kept) Contains(first cachecore.Block, n int) flash.Found {
	if u := k.under.Load(); u != nil {
		return u.object.Contains(first, n)
	}
	return flash.Found{}
}

// Read implements volume.Flash.
func (k *kept) Read(ctx context.Context, first cachecore.Block, n int, into []byte) (flash.Found, error) {
	if u := k.under.Load(); u != nil {
		return u.object.Read(ctx, first, n, into)
	}
	return flash.Found{}, nil
}

// Prepare implements volume.Flash.
func (k *kept) Prepare(first cachecore.Block, n int) flash.Batch {
	if !k.open.Load() {
		return flash.Batch{}
	}
	u := k.under.Load()
	if u == nil {
		s := k.export.flash()
		if s == nil {
			return flash.Batch{}
		}
		var key flash.Key
		_, _ = rand.Read(key[:]) // it never fails
		if u = k.attach(s, key); u == nil {
			return flash.Batch{}
		}
	}
	return u.object.Prepare(first, n)
}

// Invalidate implements volume.Flash.
func (k *kept) Invalidate(ctx context.Context, first cachecore.Block, n uint64) error {
	if u := k.under.Load(); u != nil {
		return u.object.Invalidate(ctx, first, n)
	}
	return nil
}

// InvalidateNow implements volume.Flash.
func (k *kept) InvalidateNow(first cachecore.Block, n uint64) bool {
	u := k.under.Load()
	return u == nil || u.object.InvalidateNow(first, n)
}

// Drop implements volume.Flash.
func (k *kept) Drop(context.Context) error {
	k.open.Store(k.export.opts.Witnesses == nil) // first: what was asked for before comes under no new key
	if u := k.under.Swap(nil); u != nil {
		u.end(k.export)
	}
	return nil
}

var _ volume.Flash = (*kept)(nil)
