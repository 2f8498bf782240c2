package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	drive "forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/configs"
	"forebay/gateway/witnesses"
)

// poolFlash is the flash tier that this gateway gives to a pool: blocks for reads, below RAM, which a restart finds again.
//
// # What a restart may find
//
// What is in the store of a LUN has to be what its array has, whatever has happened to the gateway and to the array. It is, since
//
//   - a write waits until a crash can't bring back what it changes (flash.Object.Invalidate, PROTOCOL G3), in every mode: before the array is asked, or
//     the write log;
//   - only what the array can't lose goes in (volume.Options.FlashLasts): what is read back after a write goes in when a flush has covered the write.
//     So an array that loses power while the gateway is down, and what it had answered with it, is not ahead of the tier, nor behind;
//   - the volume was served with this store all the time, by this gateway, over the same array, and with the same write log: flashNotes say so,
//     and are changed before anything is served otherwise. What is cached under a write log in RAM counts for one life only, as the log does;
//   - an array that is attached again in the same life, or says that others may have changed it, has everything dropped, in flash too: it may have
//     lost what it had answered, and the tier may have what was read in between.
//
// What nobody can tell is a change of the array by others while the gateway is down: `forebay volume drop-cache` comes after such.
//
// Of a file of an export, which others change at any time, what is there is found again by a witness (gateway/witnesses): a note of the file's attributes, and of the key under
// which its content is. It is taken when the file has been left alone for a while, once the filer has made it durable, and voided before this gateway has the
// file changed; at the next start what is under that key is what the filer has, if the filer shows the same attributes (export.Export).
//
// A device that can't be opened, or fails, is done without: the pool goes on with RAM. Then its ID is taken out of the notes before anything
// is written, so that it is formatted before it is used again. The write log that may be in the end of it is another matter (pool.openFlash).
type poolFlash struct {
	pool  string
	notes *flashNotes
	log   zerolog.Logger

	witnesses *witnesses.File // of files of exports; nil: there are none. Set before anything is served

	turn sync.Mutex // of who resizes or removes it
	mu   struct {
		sync.Mutex
		medium  drive.Device // what is for reads; nil: not open
		store   *flash.Store // nil: there is none
		removed bool         // by an operator
		reason  string       // why
	}
	closed chan struct{} // no store any more
}

// A device may be written to once a day as a whole: what drives for reads are made for. There is no key for it.
const flashWritesPerDay = 1

// newFlash takes what a tier has, or why there is none. It fails only if it can't note that a device is not to be believed.
func newFlash(t configs.Tier, medium drive.Device, err error, notes *flashNotes, log zerolog.Logger) (*poolFlash, error) {
	f := &poolFlash{pool: t.Pool, notes: notes, log: log.With().Str("pool", t.Pool).Logger(), closed: make(chan struct{})}
	if err == nil {
		err = f.use(medium)
	}
	if err == nil {
		return f, nil
	}
	f.mu.reason = err.Error()
	f.log.Error().Err(err).Str("path", t.Flash.Path).Msg("the flash tier can't be used; the pool goes on without it")
	return f, errors.Join(notes.setStore(t.Pool, flash.ID{}), f.close())
}

// use opens the store that the notes have on a medium, or makes one.
func (f *poolFlash) use(medium drive.Device) error {
	f.mu.medium = medium
	if id, known := f.notes.store(f.pool); known {
		store, err := f.openStore(medium, id)
		if err == nil {
			f.mu.store = store
			s := store.Stats()
			f.log.Info().Int64("bytes", s.Bytes).Int64("used", s.UsedBytes).Msg("flash tier opened")
			return f.fit(medium.Size())
		}
		f.log.Warn().Err(err).Msg("what the flash tier holds is not used; it is made anew")
	}
	return f.format(medium)
}

// openStore opens the store with that ID.
func (f *poolFlash) openStore(medium drive.Device, id flash.ID) (*flash.Store, error) {
	condemn := func(context.Context) error { return f.notes.setStore(f.pool, flash.ID{}) }
	return flash.Open(medium, flash.Options{ID: id, Condemn: condemn, BytesPerDay: medium.Size() * flashWritesPerDay})
}

// fit makes a store use a device that has another size than it had, or has been resized.
func (f *poolFlash) fit(size int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), flashPatience)
	defer cancel()
	return f.mu.store.Resize(ctx, size)
}

// flashPatience is what a device gets for what is more than a transfer.
const flashPatience = 10 * time.Second

// format makes an empty store, where that overwrites nobody's data.
func (f *poolFlash) format(medium drive.Device) error {
	if err := flashOrNothing(medium); err != nil {
		return err
	}
	if err := f.notes.setStore(f.pool, flash.ID{}); err != nil { // the old one, of which not everything may be gone
		return err
	}
	id, err := flash.Format(medium, flash.FormatOptions{})
	if err != nil {
		return err
	}
	if err := f.notes.setStore(f.pool, id); err != nil {
		return err
	}
	store, err := f.openStore(medium, id)
	if err != nil {
		return err
	}
	f.mu.store = store
	f.log.Info().Int64("bytes", f.mu.store.Stats().Bytes).Msg("flash tier made")
	return nil
}

// current is the store, or nil.
func (f *poolFlash) current() *flash.Store {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.store
}

// watch tells when the device fails, until ctx ends.
func (f *poolFlash) watch(ctx context.Context) {
	s := f.current()
	if s == nil {
		return
	}
	select {
	case <-s.Failed():
		f.log.Error().AnErr("reason", s.Err()).Msg("the flash tier has failed; the pool goes on without it")
	case <-f.closed:
	case <-ctx.Done():
	}
}

// close ends the store so that the next start finds what it has. Its volumes are closed. With an error the device may be in use.
func (f *poolFlash) close() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.mu.store != nil {
		ctx, cancel := context.WithTimeout(context.Background(), flashPatience)
		defer cancel()
		err = f.mu.store.Close(ctx)
		if ctx.Err() != nil && err != nil {
			return fmt.Errorf("flash tier: %w", err)
		}
		if err != nil { // which was told, or tells that the next start is a cold one
			f.log.Warn().Err(err).Msg("the flash tier did not end in order")
		}
		f.mu.store = nil
		close(f.closed)
	}
	if f.mu.medium != nil {
		err = f.mu.medium.Close()
		f.mu.medium = nil
		return err
	}
	return nil
}

// addFlash opens the pools' flash tiers, and the write logs that are in them, or that volumes need besides. What the notes have of others, and of volumes that are not served with one, goes before anything is served.
func (g *Gateway) addFlash() error {
	notes, err := openFlashNotes(g.config.Gateway.DataDir)
	if err != nil {
		return err
	}
	for _, t := range g.config.Gateway.Tiers {
		if err := g.pools[t.Pool].openFlash(t, g.promises(t.Pool), g.owed[t.Pool], notes, g.log); err != nil {
			return err
		}
		if err := g.pools[t.Pool].needLog(t, g.writesBack(t.Pool), g.log); err != nil {
			return err
		}
	}
	has := func(pool string) bool { return g.pools[pool] != nil && g.pools[pool].flash.current() != nil }
	return notes.keep(has, func(volume string) bool {
		return slices.ContainsFunc(g.config.Volumes, func(v configs.Volume) bool { return v.Name == volume && v.ISCSI != nil && has(v.Pool) })
	})
}
