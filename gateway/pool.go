package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"forebay/cachecore/ram"
	"forebay/configs"
)

// pool is what this gateway gives to an acceleration pool: the RAM tier, the flash tier below it, and beside it the buffers that fills read into.
type pool struct {
	name    string
	store   *ram.Store
	arena   *ram.Arena // of the buffers
	buffers *ram.Buffers
	log     *poolLog   // nil: writes are the arrays' to answer
	flash   *poolFlash // nil: it gives none
}

// The memory for I/O is not taken from a tier: a tier's size is what it caches. Pages of it that are never used cost nothing.
const (
	fillBytes  = 64 << 20  // of each pool: reads of the array under way, and their data on its way to initiators
	writeBytes = 256 << 20 // of the gateway: data-out on its way from initiators to arrays
)

// newPool makes what a tier gives, and with it a write log if there is a medium for that alone, or if volumes need one and no flash may have it.
func newPool(t configs.Tier, logged bool, log zerolog.Logger) (*pool, error) {
	// Address space is for all that the machine has: more than that is no RAM tier.
	most := ram.MachineMemory()
	if most > 0 && int64(t.RAM) > most {
		return nil, fmt.Errorf("pool %s: arena of %s: the machine has %s of memory", t.Pool, t.RAM, configs.Size(most))
	}
	store, err := ram.NewResizable(int64(t.RAM), most)
	if err != nil {
		return nil, fmt.Errorf("pool %s: %w", t.Pool, err)
	}
	p := &pool{name: t.Pool, store: store}
	if p.arena, err = ram.NewArena(fillBytes); err != nil {
		return nil, errors.Join(fmt.Errorf("pool %s: %w", t.Pool, err), store.Close(context.Background()))
	}
	p.buffers = ram.NewBuffers(p.arena.Take(fillBytes))
	warnUnlocked(cmp.Or(store.Locked(), p.arena.Locked()), log.With().Str("pool", t.Pool).Logger())
	if err := p.needLog(t, t.Log != nil || logged && t.Flash == nil, log); err != nil {
		return nil, errors.Join(err, store.Close(context.Background()), p.arena.Close())
	}
	return p, nil
}

// needLog opens a write log if one is needed and there is none.
func (p *pool) needLog(t configs.Tier, needed bool, log zerolog.Logger) (err error) {
	if needed && p.log == nil {
		p.log, err = openLog(t, nil, log)
	}
	return err
}

// close waits until nobody has pinned a block any more; volumes are closed and have no buffers out. With an error the memory is still in use
// and stays.
func (p *pool) close(ctx context.Context) error {
	err := errors.Join(p.log.close(), p.flash.close(), p.store.Close(ctx))
	if err == nil {
		err = allBack(p.buffers, fillBytes)
	}
	if err != nil {
		return fmt.Errorf("pool %s: %w", p.name, err)
	}
	return p.arena.Close()
}

// writes is the memory of data-out.
type writes struct {
	arena   *ram.Arena
	buffers *ram.Buffers
}

func newWrites(log zerolog.Logger) (*writes, error) {
	arena, err := newArena(writeBytes, log)
	if err != nil {
		return nil, fmt.Errorf("memory for writes: %w", err)
	}
	return &writes{arena: arena, buffers: ram.NewBuffers(arena.Take(writeBytes))}, nil
}

// close is the end of the memory, unless a buffer is out.
func (w *writes) close() error {
	if err := allBack(w.buffers, writeBytes); err != nil {
		return fmt.Errorf("memory for writes: %w", err)
	}
	return w.arena.Close()
}

func allBack(buffers *ram.Buffers, bytes int64) error {
	if out := bytes - buffers.Free(); out > 0 {
		return fmt.Errorf("%d bytes of buffers are still in use", out)
	}
	return nil
}

// newArena reserves memory, and says so when it may be swapped out.
func newArena(bytes int64, log zerolog.Logger) (*ram.Arena, error) {
	arena, err := ram.NewArena(bytes)
	if err != nil {
		return nil, err
	}
	warnUnlocked(arena.Locked(), log)
	return arena, nil
}

func warnUnlocked(err error, log zerolog.Logger) {
	if err != nil {
		log.Warn().Err(err).Msg("memory is not page-locked: under memory pressure hits may become slow; raise the limit on locked memory (LimitMEMLOCK, ulimit -l)")
	}
}
