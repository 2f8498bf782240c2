package gateway

import (
	"fmt"
	"slices"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/gateway/api"
)

// tellTorn tells of a frame that the log was cut before: what a power cut or a kill leaves of a write that was under way, and not answered (PROTOCOL F1).
func (l *poolLog) tellTorn() {
	if tail, torn := l.Torn(); torn {
		l.logger.Warn().Uint64("frame", tail.Frame).Int("records", len(tail.Records)).
			Msg("the write log ended in a frame that had not been written whole: it is cut; none of its writes had been acknowledged")
	}
}

// damaged takes word from the log of damage that it found while it runs: from its goroutine, or from whoever kicks it.
func (l *poolLog) damaged(d writelog.Damage) {
	l.logger.Error().Stringer("damage", d).Msg("the write log is damaged")
	if b := l.backs[d.Shard]; b != nil {
		b.Damaged(fmt.Errorf("damage in the write log: %v", d))
	}
}

// doubt takes the volumes offline of which the log may lack writes that were acknowledged and count (PROTOCOL F2). Of those that the log knows, it says
// how far they are concerned; of the others it may have lost all, if it can't tell whose a frame was.
func (l *poolLog) doubt(bases map[writelog.Shard]cachecore.Epoch) {
	for _, d := range l.Damage() {
		l.logger.Error().Stringer("damage", d).Msg("the write log is damaged")
		for shard, b := range l.backs {
			if l.concerns(d, shard, bases[shard]) {
				b.Lose(fmt.Errorf("damage in the write log: %v", d))
			}
		}
	}
}

// concerns says whether records of a shard may be missing that count: those of the base's epoch and later ones (PROTOCOL A2).
func (l *poolLog) concerns(d writelog.Damage, shard writelog.Shard, base cachecore.Epoch) bool {
	if d.Any {
		_, known := l.State(shard)
		return !known
	}
	return d.Shard == shard && (d.Epoch == 0 || d.Epoch >= base)
}

// vague says whether records of a shard may be missing without the log's knowing that they are of it.
func (l *poolLog) vague(shard writelog.Shard) bool {
	_, known := l.State(shard)
	return !known && slices.ContainsFunc(l.Damage(), func(d writelog.Damage) bool { return d.Any })
}

// forget has the log forget the records that don't count, with the damage that they may have: their room is free then, and the shard takes new ones.
func (l *poolLog) forget(bases map[writelog.Shard]cachecore.Epoch) {
	for shard, b := range l.backs {
		s, known := l.State(shard)
		nothing := s.Trimmed == s.Last && !s.Damaged
		if !known || nothing || s.Epoch >= bases[shard] || b.Status().Effective == writeback.Lost {
			continue
		}
		if err := l.Void(shard, bases[shard]); err != nil {
			l.logger.Error().Err(err).Str("volume", b.volume).Msg("the write log can't forget what is on the array")
		}
	}
}

// status is what the API tells.
func (l *poolLog) status() *api.WriteLog {
	if l == nil {
		return nil
	}
	used, capacity := l.Space()
	s := &api.WriteLog{Bytes: capacity, UsedBytes: used, SurvivesPowerLoss: l.durable}
	if err := l.Err(); err != nil {
		s.Error = err.Error()
	}
	if tail, torn := l.Torn(); torn {
		s.Torn = fmt.Sprintf("frame %d, %d records", tail.Frame, len(tail.Records))
	}
	for _, d := range l.Damage() {
		s.Damage = append(s.Damage, d.String())
	}
	return s
}
