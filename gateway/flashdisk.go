package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/flash"
	"forebay/cachecore/volume"
	"forebay/cachecore/writeback"
)

// flash attaches the disk to its pool's flash tier, when its array is attached for the first time in this life. nil: there is none.
func (s *disk) flash() (below volume.Flash, lasts bool) {
	tier := s.pool.flash
	if tier == nil {
		return nil, false
	}
	if store := tier.current(); store != nil { // else it has failed, or was removed since the start
		object, lasts, err := s.attachFlash(store)
		if err == nil {
			return object, lasts
		}
		s.log.Warn().Err(err).Msg("the volume goes on without the flash tier")
	}
	f := &unkept{notes: tier.notes, volume: s.name()}
	_ = f.forget() // else the first write does
	return f, false
}

func (s *disk) attachFlash(store *flash.Store) (*flash.Object, bool, error) {
	if s.back != nil && s.back.Status().Effective == writeback.Lost {
		return nil, false, fmt.Errorf("what was acknowledged is not all there: %s", s.back.Status().Reason)
	}
	with := s.servedWith(store)
	since, err := s.pool.flash.notes.since(s.name(), with)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), flashPatience)
	defer cancel()
	object, err := store.Attach(ctx, s.flashKey(), since, since)
	return object, with != "", err
}

// servedWith is what has to be the same at the next start for what is cached to count then; empty: it doesn't, whatever is.
func (s *disk) servedWith(store *flash.Store) string {
	id, log := store.ID(), "none"
	if s.back != nil {
		if !s.back.durable {
			return ""
		}
		medium, incarnation := s.pool.log.ID()
		log = fmt.Sprintf("%v/%v", medium, incarnation)
		if lost := s.back.record.Losses; lost > 0 { // the tier may have what was lost
			log += fmt.Sprintf(", losses %d", lost)
		}
	}
	return fmt.Sprintf("store %x, naa %x, array %s %s, log %s", id, s.identity.NAA, s.attachment.name, s.attachment.Info().Identity, log)
}

// flashKey names the disk in a store for good: by its identifier and its array's.
func (s *disk) flashKey() flash.Key {
	sum := sha256.Sum256(fmt.Appendf(nil, "lun\x00%x\x00%s", s.identity.NAA, s.attachment.Info().Identity))
	return flash.Key(sum[:])
}

// settle is what makes durable all that was written, where a write log answers flushes: what others have written to the array, that doesn't know.
// nil: flushes do.
func (s *disk) settle() func(context.Context) error {
	if s.back == nil {
		return nil
	}
	return func(ctx context.Context) error {
		if err := s.back.Flush(ctx); err != nil {
			return err
		}
		return s.attachment.Flush(ctx)
	}
}

// settles has the array flushed from time to time while there is something for the flash tier that a flush has to cover first, until ctx ends.
func (s *disk) settles(ctx context.Context) {
	again := time.NewTicker(settleEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		if v := s.storage.volume.Load(); v != nil {
			limited, cancel := context.WithTimeout(ctx, settlePatience)
			_ = v.Settle(limited) // the next time, then
			cancel()
		}
	}
}

// The gateway's end waits for a flush that is under way: it takes less than a step of that.
const (
	settleEvery    = 2 * time.Second
	settlePatience = 5 * time.Second
)

// preserves brings what is hot in RAM to the flash tier, a step at a time, while there is one and until ctx ends.
func (s *disk) preserves(ctx context.Context) {
	store := s.pool.flash.current()
	if store == nil {
		return
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-store.Failed():
			return
		case <-s.pool.flash.closed:
			return
		case <-ctx.Done():
			return
		}
		pause := settleEvery // the volume may be there by then
		if v := s.storage.volume.Load(); v != nil {
			pause = v.Preserve()
		}
		next.Reset(pause)
	}
}

// unkept is the flash tier of a volume that is served without: what a store has of it must never be found, and is forgotten before it
// changes.
type unkept struct {
	notes     *flashNotes
	volume    string
	forgotten atomic.Bool // for this life: only at its beginning is it noted how a volume is served
}

func (u *unkept) forget() error {
	err := u.notes.forget(u.volume)
	if err == nil {
		u.forgotten.Store(true)
	}
	return err
}

func (u *unkept) Contains(cachecore.Block, int) flash.Found { return flash.Found{} }

func (u *unkept) Read(context.Context, cachecore.Block, int, []byte) (flash.Found, error) {
	return flash.Found{}, nil
}

func (u *unkept) Prepare(cachecore.Block, int) flash.Batch { return flash.Batch{} }

func (u *unkept) Invalidate(context.Context, cachecore.Block, uint64) error { return u.forget() }

func (u *unkept) InvalidateNow(cachecore.Block, uint64) bool { return u.forgotten.Load() }

func (u *unkept) Drop(context.Context) error { return u.forget() }

var _ volume.Flash = (*unkept)(nil)
