package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
)

// owedLogs are the pools that need a write log because volumes of theirs may have writes in one, whatever the configuration says now: with it, and without
// those writes, the volumes are offline. Without any they would be served as their arrays are.
func (g *Gateway) owedLogs(ctx context.Context) (map[string]bool, error) {
	owed := map[string]bool{}
	for _, v := range g.config.Volumes {
		r, err := g.store.Shard(ctx, v.Name)
		if err != nil {
			return nil, err
		}
		owed[v.Pool] = owed[v.Pool] || r.Log != ""
	}
	return owed, nil
}

// readRecords is for unowed.
func (g *Gateway) readRecords(ctx context.Context) (err error) {
	g.records, err = g.store.Shards(ctx)
	return err
}

// unowed refuses to serve a volume from what lacks writes that another one has acknowledged, be that configured no more, or over something else: they would be
// missing now, and be carried there later over newer ones.
func (g *Gateway) unowed(ctx context.Context, c configs.Volume) error {
	for _, other := range slices.Sorted(maps.Keys(g.records)) {
		if r := g.records[other]; r.Log != "" && overlap(r.Array, c) && (other != c.Name || r.Array != placeOf(c.From)) {
			if err := g.drained(ctx, other, r, c.From.Array); err != nil {
				return err
			}
		}
	}
	return nil
}

// overlap says whether a place is what a volume lies over, or has a part of it: an export is all files of its array.
func overlap(place string, c configs.Volume) bool {
	return place == placeOf(c.From) || c.From.Path != "" && place == c.From.Array || c.NFS != nil && strings.HasPrefix(place, c.From.Array+" ")
}

// drained says what the array lacks of a volume with that record; nil: nothing.
func (g *Gateway) drained(ctx context.Context, volume string, r etcd.Shard, array string) error {
	for _, p := range g.pools {
		if p.log == nil || p.log.named() != r.Log {
			continue
		}
		naa, err := g.store.NAA(ctx, volume)
		if err != nil {
			return err
		}
		disk, files := shardOf(naa), shardOfFiles(naa, array) // whichever it was
		if p.log.owes(disk, r.Base) || p.log.owes(files, r.Base) || p.log.vague(disk) && p.log.vague(files) {
			return fmt.Errorf("the write log may have acknowledged writes of volume %s that %s lacks: configure %s over it again, and have it drained "+
				"(forebay volume policy %s --write through) before another volume is served from there", volume, r.Array, volume, volume)
		}
		return nil
	}
	return fmt.Errorf("the write log %s, which is not here, may have acknowledged writes of volume %s that %s lacks: configure %s over it again and bring that log back, "+
		"or give up what only it has (forebay volume recover %s --accept-data-loss), before another volume is served from there", r.Log, volume, r.Array, volume, volume)
}

// unlogged refuses to serve a volume without the log that has writes of it: the filer lacks them, and would get them later over newer ones.
func (g *Gateway) unlogged(ctx context.Context, l *poolLog, shard writelog.Shard, c configs.Volume) error {
	r, err := g.store.Shard(ctx, c.Name)
	if err != nil {
		return err
	}
	if l.owes(shard, r.Base) {
		return fmt.Errorf("volume %s: the write log has acknowledged writes that %s lacks: serve no other volume from there until it is drained", c.Name, c.From.Array)
	}
	switch r.Log {
	case "":
		return nil
	case l.named():
		if l.vague(shard) {
			return fmt.Errorf("volume %s: the write log can't tell whose writes it has lost, and may have had some that %s lacks: serve no other volume from there, and start again",
				c.Name, c.From.Array)
		}
		return g.store.ChangeLog(ctx, c.Name, r.Log, "", "")
	}
	return fmt.Errorf("volume %s: %w that %s lacks: serve no other volume from there, and start again: %w", c.Name, etcd.ErrOtherLog, c.From.Array,
		otherLog(c.Name, r.Log, l.named()))
}

// owes says whether the log has records of a shard that count, or may have had some.
func (l *poolLog) owes(shard writelog.Shard, base cachecore.Epoch) bool {
	s, known := l.State(shard)
	return known && s.Epoch >= base && (s.Trimmed < s.Last || s.Damaged)
}

// placeOf is what a volume lies over, in the words of its record.
func placeOf(f configs.From) string {
	switch {
	case f.Path != "":
		return f.Array + " " + f.Path
	case f.LUN != 0:
		return fmt.Sprintf("%s LUN %d", f.Array, f.LUN)
	}
	return f.Array
}
