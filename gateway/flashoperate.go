package gateway

import (
	"context"
	"errors"
	"fmt"

	drive "forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/gateway/api"
)

// DropCache implements api.Operator.
func (g *Gateway) DropCache(ctx context.Context, volume string) error {
	for _, d := range g.disks {
		if d.name() == volume {
			return d.dropCache()
		}
	}
	for _, s := range g.shares {
		if s.name() == volume {
			return s.dropCache(ctx)
		}
	}
	return api.ErrNotFound
}

// dropCache forgets all that is cached, before the first attachment too.
func (s *disk) dropCache() error {
	s.doubts.Store(true) // first: the volume may just be made, with what flash has from an earlier life
	if v := s.storage.volume.Load(); v != nil {
		v.Drop()
	} else if tier := s.pool.flash; tier != nil { // nor is it for a later life, should the array stay away in this one
		if err := tier.notes.forget(s.name()); err != nil {
			return err
		}
	}
	s.log.Info().Msg("the cache is emptied, as asked for")
	return nil
}

// ResizeFlash implements api.Operator.
func (g *Gateway) ResizeFlash(ctx context.Context, pool string, bytes int64) error {
	f, err := g.flashOf(pool)
	if err != nil {
		return err
	}
	return f.resize(ctx, bytes)
}

// RemoveFlash implements api.Operator.
func (g *Gateway) RemoveFlash(ctx context.Context, pool string) error {
	f, err := g.flashOf(pool)
	if err != nil {
		return err
	}
	return f.remove(ctx)
}

func (g *Gateway) flashOf(pool string) (*poolFlash, error) {
	p := g.pools[pool]
	switch {
	case p == nil:
		return nil, api.ErrNotFound
	case p.flash.current() == nil:
		return nil, fmt.Errorf("%w: the gateway gives no flash to pool %s", api.ErrRefused, pool)
	}
	return p.flash, nil
}

// resize uses more or less of what is for reads: a write log behind it stays where it is. What lay beyond is forgotten. A file becomes as long as it has to,
// and stays that long.
func (f *poolFlash) resize(ctx context.Context, bytes int64) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.mu.Lock()
	store, medium := f.mu.store, f.mu.medium
	f.mu.Unlock()
	switch {
	case store == nil:
		return fmt.Errorf("%w: it has gone", api.ErrRefused)
	case bytes > medium.Size():
		if err := grow(medium, bytes); err != nil {
			return err
		}
	}
	err := store.Resize(ctx, bytes)
	if errors.Is(err, flash.ErrTooSmall) {
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	if err == nil {
		store.SetBytesPerDay(bytes * flashWritesPerDay)
		f.log.Info().Int64("bytes", bytes).Msg("flash tier resized")
	}
	return err
}

// grow makes a medium larger that ends with what is for reads.
func grow(medium drive.Device, bytes int64) error {
	f, ok := medium.(interface{ Grow(size int64) error })
	if !ok {
		return fmt.Errorf("%w: it has %d bytes, behind which is the write log: a larger one is for the configuration, and takes a restart", api.ErrRefused, medium.Size())
	}
	err := f.Grow(bytes &^ (drive.Unit - 1))
	if errors.Is(err, drive.ErrNoRoom) {
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return err
}

// remove takes the store out while its volumes go on, and the write log that may be behind it. Nothing of it is found again, whatever happens.
func (f *poolFlash) remove(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.mu.Lock()
	store := f.mu.store
	f.mu.Unlock()
	if store == nil {
		return fmt.Errorf("%w: it has gone", api.ErrRefused)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flashPatience) // who asked may go
	defer cancel()
	if err := f.notes.setStore(f.pool, flash.ID{}); err != nil {
		return err // and it goes on
	}
	if err := store.Withdraw(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.store, f.mu.removed, f.mu.reason = nil, true, "removed by an operator"
	close(f.closed)
	err := f.mu.medium.Close()
	f.mu.medium = nil
	f.log.Info().Msg("flash tier removed")
	return err
}
