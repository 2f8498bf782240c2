package gateway

import (
	"context"
	"crypto/rand"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/flash"
	"forebay/cachecore/volume"
)

// perishable is the flash tier of a file of an export. What it has is worth something while the file's node lives and not dropped: it is kept under
// keys that are used once, so that dropping is to take another one, which waits for nothing, and a restart finds nothing. What is left behind goes
// with its regions.
type perishable struct {
	pool   *poolFlash
	object atomic.Pointer[flash.Object] // nil: nothing has been offered since the last drop
}

// perishable makes a file's; nil: there is no flash tier.
func (f *poolFlash) perishable() volume.Flash {
	if f.current() == nil {
		return nil
	}
	return &perishable{pool: f}
}

// Contains implements volume.Flash.
func (p *perishable) Contains(first cachecore.Block, n int) flash.Found {
	if o := p.object.Load(); o != nil {
		return o.Contains(first, n)
	}
	return flash.Found{}
}

// Read implements volume.Flash.
func (p *perishable) Read(ctx context.Context, first cachecore.Block, n int, into []byte) (flash.Found, error) {
	if o := p.object.Load(); o != nil {
		return o.Read(ctx, first, n, into)
	}
	return flash.Found{}, nil
}

// Prepare implements volume.Flash.
func (p *perishable) Prepare(first cachecore.Block, n int) flash.Batch {
	o := p.object.Load()
	if o == nil {
		if o = p.attach(); o == nil {
			return flash.Batch{}
		}
	}
	return o.Prepare(first, n)
}

// attach begins under a new key. There may be too many objects, or the device may have failed: then nothing is kept.
func (p *perishable) attach() *flash.Object {
	store := p.pool.current()
	if store == nil {
		return nil
	}
	var k flash.Key
	_, _ = rand.Read(k[:]) // it never fails
	o, err := store.Attach(context.Background(), k, 0, 0)
	if err != nil {
		return nil
	}
	if !p.object.CompareAndSwap(nil, o) {
		o.Detach()
		return p.object.Load()
	}
	return o
}

// Invalidate implements volume.Flash.
func (p *perishable) Invalidate(ctx context.Context, first cachecore.Block, n uint64) error {
	if o := p.object.Load(); o != nil {
		return o.Invalidate(ctx, first, n)
	}
	return nil
}

// InvalidateNow implements volume.Flash.
func (p *perishable) InvalidateNow(first cachecore.Block, n uint64) bool {
	o := p.object.Load()
	return o == nil || o.InvalidateNow(first, n)
}

// Drop implements volume.Flash.
func (p *perishable) Drop(context.Context) error {
	if o := p.object.Swap(nil); o != nil {
		o.Detach()
	}
	return nil
}

var _ volume.Flash = (*perishable)(nil)
