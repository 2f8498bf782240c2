package etcd

import (
	"context"
	"fmt"
)

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
