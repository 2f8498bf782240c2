package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"forebay/cachecore"
)

// Shard is the record of a shard (PROTOCOL A1). The zero value is of one that has never been served.
type Shard struct {
	Epoch cachecore.Epoch `json:"epoch"`
	Base  cachecore.Epoch `json:"base"` // records of a lower epoch don't count (A2)
	// Log is the incarnation of the write log that may have records that count; empty: none has. Another log is no copy of it (A4).
	Log string `json:"log,omitempty"`
	// Array is what lacks what those records have, in the gateway's words: they are not for another one.
	Array string `json:"array,omitempty"`
	// Losses is how often what had been acknowledged was declared lost (H3).
	Losses uint64 `json:"losses,omitempty"`
}

// ErrOtherLog says that another write log may have records that count.
var ErrOtherLog = errors.New("another write log may have acknowledged writes")

func (s *store) Shard(ctx context.Context, volume string) (Shard, error) {
	r, _, err := s.shard(ctx, volume)
	return r, err
}

func (s *store) Shards(ctx context.Context) (map[string]Shard, error) {
	found, err := s.kv.list(ctx, keyShards)
	if err != nil {
		return nil, fmt.Errorf("records of volumes: %w", err)
	}
	all := make(map[string]Shard, len(found))
	for key, v := range found {
		volume, err := url.PathUnescape(strings.TrimPrefix(key, keyShards))
		var r Shard
		if err == nil {
			err = json.Unmarshal(v.data, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", key, err)
		}
		all[volume] = r
	}
	return all, nil
}

func (s *store) NewEpoch(ctx context.Context, volume string) (Shard, error) {
	return s.advance(ctx, volume, func(r *Shard) error { r.Epoch++; return nil })
}

func (s *store) RaiseBase(ctx context.Context, volume, log, array string) (cachecore.Epoch, error) {
	r, err := s.advance(ctx, volume, func(r *Shard) error {
		r.Epoch++
		r.Base = r.Epoch
		r.owe(log, array)
		return nil
	})
	return r.Epoch, err
}

// owe names a log that may have records of what an array lacks.
func (r *Shard) owe(log, array string) {
	r.Log, r.Array = log, array
	if log == "" {
		r.Array = ""
	}
}

func (s *store) ChangeLog(ctx context.Context, volume, from, to, array string) error {
	_, err := s.advance(ctx, volume, func(r *Shard) error {
		if r.Log != from && r.Log != to {
			return fmt.Errorf("%w: %s", ErrOtherLog, r.Log)
		}
		r.owe(to, array)
		return nil
	})
	return err
}

func (s *store) DeclareLost(ctx context.Context, volume string, above cachecore.Epoch) (Shard, error) {
	return s.advance(ctx, volume, func(r *Shard) error {
		r.Epoch = max(r.Epoch, above) + 1
		r.Base = r.Epoch
		r.owe("", "")
		r.Losses++
		return nil
	})
}

// shard reads a record, and its revision.
func (s *store) shard(ctx context.Context, volume string) (r Shard, revision int64, err error) {
	key := keyShard(volume)
	found, err := s.kv.get(ctx, key)
	if v, ok := found[key]; ok && err == nil {
		revision, err = v.revision, json.Unmarshal(v.data, &r)
	}
	if err != nil {
		return Shard{}, 0, fmt.Errorf("record of volume %s: %w", volume, err)
	}
	return r, revision, nil
}

// advance changes a record by compare and swap.
func (s *store) advance(ctx context.Context, volume string, alter func(*Shard) error) (Shard, error) {
	for range maxAttempts {
		r, revision, err := s.shard(ctx, volume)
		if err != nil {
			return Shard{}, err
		}
		if err := alter(&r); err != nil {
			return Shard{}, fmt.Errorf("record of volume %s: %w", volume, err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			return Shard{}, err
		}
		key := keyShard(volume)
		switch done, err := s.kv.commit(ctx, map[string]int64{key: revision}, []change{{key, data}}); {
		case err != nil:
			return Shard{}, fmt.Errorf("record of volume %s: %w", volume, err)
		case done:
			return r, nil
		}
	}
	return Shard{}, fmt.Errorf("record of volume %s: %w", volume, errBusy)
}
