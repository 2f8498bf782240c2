package etcd

import (
	"context"
	"encoding/json"
	"fmt"

	"forebay/cachecore"
)

// shardRecord is what is stored of a shard.
type shardRecord struct {
	Epoch cachecore.Epoch `json:"epoch"`
	Base  cachecore.Epoch `json:"base"`
}

func (s *store) NewEpoch(ctx context.Context, volume string) (epoch, base cachecore.Epoch, err error) {
	r, err := s.advance(ctx, volume, func(r *shardRecord) { r.Epoch++ })
	return r.Epoch, r.Base, err
}

func (s *store) RaiseBase(ctx context.Context, volume string) (cachecore.Epoch, error) {
	r, err := s.advance(ctx, volume, func(r *shardRecord) { r.Epoch++; r.Base = r.Epoch })
	return r.Epoch, err
}

// advance changes a shard's record by compare and swap.
func (s *store) advance(ctx context.Context, volume string, alter func(*shardRecord)) (shardRecord, error) {
	key := keyShard(volume)
	for range maxAttempts {
		found, err := s.kv.get(ctx, key)
		if err != nil {
			return shardRecord{}, fmt.Errorf("epoch of volume %s: %w", volume, err)
		}
		var r shardRecord
		if v, ok := found[key]; ok {
			if err := json.Unmarshal(v.data, &r); err != nil {
				return shardRecord{}, fmt.Errorf("epoch of volume %s: %w", volume, err)
			}
		}
		alter(&r)
		data, err := json.Marshal(r)
		if err != nil {
			return shardRecord{}, err
		}
		switch done, err := s.kv.commit(ctx, map[string]int64{key: found[key].revision}, []change{{key, data}}); {
		case err != nil:
			return shardRecord{}, fmt.Errorf("epoch of volume %s: %w", volume, err)
		case done:
			return r, nil
		}
	}
	return shardRecord{}, fmt.Errorf("epoch of volume %s: %w", volume, errBusy)
}

func (s *store) Policy(ctx context.Context, volume string) (string, error) {
	found, err := s.kv.get(ctx, keyPolicy(volume))
	if err != nil {
		return "", fmt.Errorf("policy of volume %s: %w", volume, err)
	}
	return string(found[keyPolicy(volume)].data), nil
}

func (s *store) SetPolicy(ctx context.Context, volume, write string) error {
	var data []byte
	if write != "" {
		data = []byte(write)
	}
	if _, err := s.kv.commit(ctx, nil, []change{{keyPolicy(volume), data}}); err != nil {
		return fmt.Errorf("set the policy of volume %s: %w", volume, err)
	}
	return nil
}
