package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/stats"
	"forebay/cachecore/volume"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/protocols/scsi"
)

// disk is one configured volume with all that serves it: an attachment below, the cache, a unit above. It watches its attachment.
type disk struct {
	config     configs.Volume
	object     cachecore.ObjectID
	pool       *pool
	attachment *attachment
	back       *back // nil: writes are the array's to answer
	identity   scsi.Identity
	stats      *stats.Volume
	storage    storage
	device     *device
	doubts     atomic.Bool // others may have written to the array, in this life
	log        zerolog.Logger

	mu struct {
		sync.Mutex
		ready bool
		away  *time.Timer // runs while I/O is held for an array that is away
	}
}

func newDisk(c configs.Volume, object cachecore.ObjectID, p *pool, a *attachment, identity scsi.Identity, log zerolog.Logger) *disk {
	s := &disk{config: c, object: object, pool: p, attachment: a, identity: identity, stats: new(stats.Volume),
		log: log.With().Str("volume", c.Name).Logger()}
	unit := scsi.NewUnit(scsi.UnitOptions{Identity: identity, Store: &s.storage, Logger: s.log})
	s.device = &device{Unit: unit, stats: s.stats}
	return s
}

func (s *disk) name() string { return s.config.Name }

// run keeps the volume's array attached until ctx ends.
func (s *disk) run(ctx context.Context) {
	var beside sync.WaitGroup
	if s.back != nil {
		beside.Go(func() { s.back.Run(ctx) })
	}
	if s.pool.flash != nil {
		beside.Go(func() { s.settles(ctx) })
		beside.Go(func() { s.preserves(ctx) })
	}
	s.attachment.run(ctx, s)
	s.setReady(false)
	beside.Wait()
}

// array is what the volume is over.
func (s *disk) array() cachecore.Array {
	if s.back != nil {
		return s.back
	}
	return s.attachment
}

// attaching says how large the volume is. At a later attachment than the first nothing that is cached is
// known to be what the array has: it may have been changed, or have forgotten what it had not flushed.
func (s *disk) attaching(info cachecore.ArrayInfo) {
	if v := s.storage.volume.Load(); v != nil {
		v.Drop()
	}
	s.resized(info)
}

func (s *disk) resized(info cachecore.ArrayInfo) {
	if s.back != nil {
		info.WriteCache = s.back.WriteCache(info)
	}
	s.device.SetGeometry(geometryOf(info, s.config.ISCSI.BlockSize))
}

func (s *disk) doubted(unflushed bool) {
	s.doubts.Store(true) // first: the volume may just be made, with what flash has from an earlier life
	v := s.storage.volume.Load()
	if v == nil {
		return
	}
	v.Drop()
	s.log.Warn().Msg("others may have written to the array; the cache is emptied")
	if unflushed && s.answeredByArray() {
		s.writesLost("others took the array before it had flushed all that it had answered")
	}
}

// answeredByArray says whether the array has answered changes that no flush has covered: what the log has answered is carried there again.
func (s *disk) answeredByArray() bool { return s.back == nil || s.back.Unflushed() }

// writesLost tells every initiator that what was answered may be gone.
func (s *disk) writesLost(why string) {
	s.device.WritesLost()
	s.log.Error().Msg(why + "; the next flush of each initiator fails")
}

// attached makes the volume at the first attachment; at a later one it lets go on what is held.
func (s *disk) attached() {
	if v := s.storage.volume.Load(); v != nil {
		v.Wake()
	} else if s.back.offline() != "" {
		return // and it stays so in this life
	} else {
		below, lasts := s.flash()
		s.storage.volume.Store(volume.New(volume.Options{Object: s.object, Array: s.array(), Store: s.pool.store, Buffers: s.pool.buffers,
			Stats: s.stats, OnArrayLoss: s.config.Policy.OnArrayLoss.Hold, Flash: below, FlashLasts: lasts, Settle: s.settle()}))
		if s.doubts.Load() {
			s.storage.volume.Load().Drop()
		}
	}
	s.setReady(true)
	s.log.Info().Str("target", s.config.ISCSI.Target).Int("lun", s.config.ISCSI.LUN).Msg("volume serves")
}

// lost keeps the unit ready for as long as the policy holds I/O. What was answered and may be gone is told to every initiator.
func (s *disk) lost(unflushed bool) {
	if unflushed && s.answeredByArray() {
		s.writesLost("the array was lost before it had flushed all that it had answered")
	}
	if s.absorbs() {
		return
	}
	hold := s.config.Policy.OnArrayLoss.Hold
	if hold == 0 {
		s.setReady(false)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var timer *time.Timer
	timer = time.AfterFunc(hold, func() {
		absorbs := s.absorbs() // since it was lost: a pause has ended, perhaps
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.away == timer && !absorbs {
			s.ready(false)
			s.log.Warn().Dur("held", hold).Msg("array still away; initiators are told that the volume is not ready")
		}
	})
	s.mu.away = timer
}

// absorbs says whether writes go on without the array (PROTOCOL B5).
func (s *disk) absorbs() bool {
	if s.back == nil {
		return false
	}
	m := s.back.Status().Effective
	return m == writeback.Back || m == writeback.Draining
}

func (s *disk) setReady(ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready(ready)
}

// ready is setReady with s.mu held: readiness and the timer that would end it change together.
func (s *disk) ready(ready bool) {
	if s.mu.away != nil {
		s.mu.away.Stop()
		s.mu.away = nil
	}
	s.mu.ready = ready
	s.device.SetReady(ready)
}

// serves says whether the volume answers medium access, and if not in full, why.
func (s *disk) serves() (ready bool, reason string) {
	s.mu.Lock()
	ready = s.mu.ready
	s.mu.Unlock()
	attached, why := s.attachment.state()
	offline := s.back.offline()
	switch {
	case offline != "":
		return ready, offline
	case !attached:
		return ready, why
	case !ready:
		return ready, "being attached"
	}
	return ready, ""
}

// close makes what was answered durable and ends the volume. An error says that something of it is still under way, and uses the pool's
// memory. What failed to be flushed is told here: nobody is left to be answered.
func (s *disk) close(ctx context.Context) error {
	v := s.storage.volume.Load()
	if v == nil {
		return nil
	}
	s.back.unhold()
	if attached, why := s.attachment.state(); attached || s.back != nil {
		if err := v.Flush(ctx); err != nil {
			s.log.Error().Err(err).Msg("the array could not be flushed at the end")
		}
	} else if s.attachment.unflushed() {
		s.log.Error().Str("reason", why).Msg("the array is away at the end, and was not flushed: what it loses of what it has answered is not written again")
	}
	if err := v.Close(ctx); err != nil {
		return fmt.Errorf("volume %s: I/O under way: %w", s.config.Name, err)
	}
	return nil
}
