package gateway

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/gateway/api"
)

// A volume's record in the control plane names the write log that may have records of it that count (PROTOCOL A1, A4): it does so before the first of them
// is acknowledged, and until the base is above them all. So a log that was replaced by an empty one, or is not configured any more, is not taken
// for one without records: its volumes are offline until it is back, or an operator declares lost what was in it.
//
// It also names the array that lacks what those records have. A volume that was put over another one is offline, too, if there are some: they are the other
// array's, and what this one has is no older.
//
// back.turn serialises what changes the record with what changes the mode: while the record names no log, none acknowledges.

// named is how records name the log; empty: it is in RAM. That loses what it has with the process, as its volumes say.
func (l *poolLog) named() string {
	if !l.durable {
		return ""
	}
	_, incarnation := l.ID()
	return incarnation.String()
}

// Raise implements writeback.Ledger. No record counts afterwards; those do that follow if write-back was asked for again meanwhile.
func (b *back) Raise(ctx context.Context) (cachecore.Epoch, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	b.turn.Lock()
	defer b.turn.Unlock()
	log := ""
	if s := b.Status(); s.Requested == writeback.Back && s.Effective != writeback.Dead {
		log = b.log.named()
	}
	return b.store.RaiseBase(ctx, b.volume, log, b.array)
}

// verify takes the volume offline if its log is not the one that the record names, or knows more than the control plane (PROTOCOL A7). What the log has of
// it is not taken in then.
func (b *back) verify(known writelog.State) {
	r, own := b.record, b.log.named()
	switch {
	case r.Log != "" && r.Log != own:
		b.Lose(otherLog(b.volume, r.Log, own))
	case r.Array != "" && r.Array != b.array && b.log.owes(b.shardOver(r.Array), r.Base):
		b.Lose(otherArray(b.volume, r.Array, b.array))
	case r.Epoch <= known.Epoch || r.Base < known.Void:
		b.Lose(fmt.Errorf("the control plane is older than the write log: it knows epoch %d and base %d, the log %d and %d", r.Epoch, r.Base, known.Epoch, known.Void))
	default:
		b.recover = b.Recover
	}
}

// otherLog says what is missing, and what is to be done.
func otherLog(volume, missing, own string) error {
	there := "none that lasts"
	if own != "" {
		there = own
	}
	return fmt.Errorf("that is the log %s, and the pool's is another one (%s): bring that one back, or give up what only it has: "+
		"forebay volume recover %s --accept-data-loss", missing, there, volume)
}

// otherArray says what lacks what the log has, and what is to be done.
func otherArray(volume, lacking, own string) error {
	return fmt.Errorf("it is what %s lacks, and the volume is over %s: put it over %s again and have it drained, or give up what only the log has: "+
		"forebay volume recover %s --accept-data-loss", lacking, own, lacking, volume)
}

// nameLogs has the records name the logs that may have records that count from now on. It comes after the replay, and before anything is served.
func (g *Gateway) nameLogs(ctx context.Context) error {
	for _, p := range g.pools {
		if p.log == nil {
			continue
		}
		for _, b := range p.log.backs {
			if err := b.nameLog(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *back) nameLog(ctx context.Context) error {
	log := b.log.named()
	switch b.Status().Effective {
	case writeback.Lost:
		return nil
	case writeback.Through: // nothing was found that counts
		log = ""
	}
	if log == b.record.Log && (log == "" || b.array == b.record.Array) {
		return nil
	}
	return b.store.ChangeLog(ctx, b.volume, b.record.Log, log, b.array)
}

// setMode changes the mode. turn is held.
func (b *back) setMode(ctx context.Context, m writeback.Mode) error {
	log := b.log.named()
	if m != writeback.Back || log == "" || b.offline() != "" {
		return refused(b.SetMode(m))
	}
	if err := b.store.ChangeLog(ctx, b.volume, "", log, b.array); err != nil {
		return err
	}
	err := refused(b.SetMode(m))
	if err != nil && b.Status().Effective == writeback.Through { // and stays that
		err = errors.Join(err, b.store.ChangeLog(ctx, b.volume, log, "", ""))
	}
	return err
}

// offline says why nothing of the volume is answered; empty: it is, or there is no log.
func (b *back) offline() string {
	if b == nil {
		return ""
	}
	if _, err := b.Mode(); err != nil {
		return err.Error()
	}
	return ""
}

// declareLost gives up what was acknowledged and is not on the array, of a volume that is offline for it (PROTOCOL A7). The next start serves what the array
// has; this life goes on as it is: others may have seen of it what is given up.
func (b *back) declareLost(ctx context.Context) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	switch {
	case b.offline() == "":
		return fmt.Errorf("%w: the volume is not offline for what it has acknowledged: nothing of that is lost", api.ErrRefused)
	case b.declared.Load():
		return fmt.Errorf("%w: that has been done: %s", api.ErrRefused, declaredLost)
	case b.log.vague(b.shard):
		return fmt.Errorf("%w: the pool's write log can't tell whose writes it has lost: give the tier another one first, and start again", api.ErrRefused)
	}
	shards := []writelog.Shard{b.shard}
	if a := b.record.Array; a != "" && b.shardOver(a) != b.shard {
		shards = append(shards, b.shardOver(a))
	}
	above := cachecore.Epoch(0) // what the log knows
	for _, shard := range shards {
		known, _ := b.log.State(shard)
		above = max(above, known.Epoch, known.Void)
	}
	r, err := b.store.DeclareLost(ctx, b.volume, above)
	if err != nil {
		return err
	}
	b.losses.Store(r.Losses)
	b.declared.Store(true)
	b.logger.Error().Str("reason", b.offline()).Str("log", b.record.Log).Uint64("losses", r.Losses).Msg(declaredLost)
	for _, shard := range shards {
		if err := b.log.Void(shard, r.Base); err != nil { // the next start does, as far as that can tell what is of before
			b.logger.Warn().Err(err).Msg("the write log can't forget what was declared lost")
		}
	}
	return nil
}

// declaredLost is told from then on until the end.
const declaredLost = "what was acknowledged and is not on the array has been declared lost; the volume is served again when the gateway has been restarted"
