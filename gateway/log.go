package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	flash "forebay/cachecore/device"
	"forebay/cachecore/ram"
	"forebay/cachecore/writelog"
	"forebay/configs"
)

// poolLog is the write log that this gateway gives to a pool.
type poolLog struct {
	*writelog.Log
	medium  flash.Device
	arena   *ram.Arena               // of a log in RAM
	fresh   *populating              // of that
	durable bool                     // what it has answered survives a power cut
	backs   map[writelog.Shard]*back // of the volumes whose writes it acknowledges
	logger  zerolog.Logger
}

// openLog opens a tier's write log, which it makes where there is none: on the end of its flash, if it is given that, else on the medium that the tier
// names, or else in RAM. What it is given is its own to close.
func openLog(t configs.Tier, end flash.Device, log zerolog.Logger) (*poolLog, error) {
	l := &poolLog{medium: end, durable: end != nil || t.Log != nil, backs: map[writelog.Shard]*back{}, logger: log.With().Str("pool", t.Pool).Logger()}
	if err := l.open(t); err != nil {
		return nil, fmt.Errorf("pool %s: write log: %w", t.Pool, errors.Join(err, l.close()))
	}
	return l, nil
}

func (l *poolLog) open(t configs.Tier) (err error) {
	if err := l.openMedium(t); err != nil {
		return err
	}
	told := writelog.Options{Moved: l.moved, Damaged: l.damaged, Immediate: l.arena != nil}
	l.Log, err = writelog.Open(l.medium, told)
	if errors.Is(err, writelog.ErrNotFormatted) {
		if err = format(l.medium, errors.Is(err, writelog.ErrHalfFormatted)); err != nil {
			return err
		}
		l.logger.Info().Int64("bytes", l.medium.Size()).Bool("durable", l.durable).Msg("write log made")
		l.Log, err = writelog.Open(l.medium, told)
	}
	if err == nil {
		l.tellTorn()
	}
	return err
}

func (l *poolLog) openMedium(t configs.Tier) (err error) {
	if l.medium != nil {
		return nil
	}
	if t.Log != nil {
		if err := spare(t.Log.Path, int64(t.Log.Size), logOrNothing); err != nil {
			return err
		}
		medium, err := flash.Open(flash.Options{Path: t.Log.Path, Size: int64(t.Log.Size)})
		if err == nil {
			l.medium = medium // else it would be one that is none
		}
		return err
	}
	size := max(int64(t.RAM)/4, minRAMLog)
	if l.arena, err = newArena(size, l.logger); err != nil {
		return err
	}
	memory, err := flash.NewMemory(l.arena.Take(size &^ (flash.Unit - 1)))
	if err != nil {
		return err
	}
	l.medium, l.fresh = memory, populate(memory)
	return nil
}

// populating has the memory of a log taken from the system while the gateway serves already.
type populating struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func populate(m *flash.Memory) *populating {
	ctx, cancel := context.WithCancel(context.Background())
	p := &populating{cancel: cancel}
	p.done.Go(func() { m.Populate(ctx) })
	return p
}

// end returns when the memory isn't touched any more.
func (p *populating) end() {
	if p != nil {
		p.cancel()
		p.done.Wait()
	}
}

// minRAMLog is the least size of a write log in RAM in bytes.
const minRAMLog = 64 << 20

// moved takes word from the log that a record lies elsewhere.
func (l *poolLog) moved(s writelog.Shard, seq cachecore.Seq, _, to writelog.Position) {
	if b := l.backs[s]; b != nil {
		b.Moved(seq, to)
	}
}

// format makes a log of a medium that has nothing at its head: another's data are not overwritten. Those of one of which a log is half made are gone already.
func format(m flash.Device, half bool) error {
	if err := nothing(m); err != nil && !half {
		return err
	}
	return writelog.Format(m, writelog.FormatOptions{})
}

// close ends the log, and gives the memory back of one in RAM.
func (l *poolLog) close() error {
	if l == nil {
		return nil
	}
	l.fresh.end()
	var errs []error
	if l.Log != nil {
		if err := l.Close(); err != nil && !errors.Is(err, writelog.ErrFailed) { // which was told when it happened
			errs = append(errs, err)
		}
	}
	if l.medium != nil {
		errs = append(errs, l.medium.Close())
	}
	if l.arena != nil {
		errs = append(errs, l.arena.Close())
	}
	return errors.Join(errs...)
}

// shardOf is a volume's shard in a log: its identifier for its initiators stays.
func shardOf(naa [16]byte) writelog.Shard {
	sum := sha256.Sum256(naa[:])
	return writelog.Shard(binary.BigEndian.Uint64(sum[:]))
}

// replay gives what the logs have of earlier lives to the volumes that it is of. bases are the epochs below which it doesn't count.
func (g *Gateway) replay(bases map[writelog.Shard]cachecore.Epoch) error {
	for _, p := range g.pools {
		if p.log == nil {
			continue
		}
		if err := p.log.replay(bases); err != nil {
			return fmt.Errorf("pool %s: replay the write log: %w", p.name, err)
		}
	}
	return nil
}

func (l *poolLog) replay(bases map[writelog.Shard]cachecore.Epoch) error {
	l.doubt(bases)
	foreign := map[writelog.Shard]int64{}
	err := l.Replay(func(r writelog.Record, at writelog.Position) error {
		switch b := l.backs[r.Shard]; {
		case b == nil:
			foreign[r.Shard] += r.Len
		case r.Epoch >= bases[r.Shard]:
			b.recover(r, at)
		}
		return nil
	})
	for shard, bytes := range foreign {
		l.logger.Error().Uint64("shard", uint64(shard)).Int64("bytes", bytes).
			Msg("the write log has acknowledged writes of a volume that is not configured here: they are kept; configure it again to have them carried to its array")
	}
	if err == nil {
		l.forget(bases)
	}
	return err
}
