package etcd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
)

func (s *store) ClusterKey(ctx context.Context) (key [32]byte, err error) {
	text, err := s.once(ctx, keyKey, func() ([]byte, error) {
		var drawn [32]byte
		_, err := rand.Read(drawn[:])
		return []byte(hex.EncodeToString(drawn[:])), err
	})
	if err != nil {
		return key, fmt.Errorf("cluster key: %w", err)
	}
	if n, err := hex.Decode(key[:], text[:min(len(text), 64)]); err != nil || n != len(key) || len(text) != 64 {
		return key, errors.New("cluster key: not 64 hex digits")
	}
	return key, nil
}

// ExportID counts up: a number is given out by whoever raises the last one.
func (s *store) ExportID(ctx context.Context, volume string) (uint16, error) {
	for range maxAttempts {
		id, err := s.exportID(ctx, volume)
		if err != nil {
			return 0, fmt.Errorf("number of export %s: %w", volume, err)
		}
		if id != 0 {
			return id, nil
		}
	}
	return 0, fmt.Errorf("number of export %s: %w", volume, errBusy)
}

// exportID is one attempt; 0: others were faster.
func (s *store) exportID(ctx context.Context, volume string) (uint16, error) {
	key := keyExport(volume)
	found, err := s.kv.get(ctx, key, keyLast)
	if err != nil {
		return 0, err
	}
	if v, ok := found[key]; ok {
		return exportNumber(v.data)
	}
	last := uint16(0)
	if v, ok := found[keyLast]; ok {
		if last, err = exportNumber(v.data); err != nil {
			return 0, err
		}
	}
	if last == math.MaxUint16 {
		return 0, errors.New("all 65535 have been given out")
	}
	id := []byte(strconv.Itoa(int(last) + 1))
	done, err := s.kv.commit(ctx, map[string]int64{key: 0, keyLast: found[keyLast].revision}, []change{{key, id}, {keyLast, id}})
	if err != nil || !done {
		return 0, err
	}
	return last + 1, nil
}

func exportNumber(text []byte) (uint16, error) {
	id, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is no number of an export", text)
	}
	return uint16(id), nil
}

func (s *store) StoreHandle(ctx context.Context, hash [32]byte, handle []byte) error {
	if _, err := s.once(ctx, keyHandle(hash), func() ([]byte, error) { return handle, nil }); err != nil {
		return fmt.Errorf("store a handle: %w", err)
	}
	return nil
}

func (s *store) Handle(ctx context.Context, hash [32]byte) ([]byte, error) {
	found, err := s.kv.get(ctx, keyHandle(hash))
	if err != nil {
		return nil, fmt.Errorf("a handle: %w", err)
	}
	return found[keyHandle(hash)].data, nil
}
