package etcd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"forebay/cachecore"
)

// once returns what is stored under a key, or stores what create makes, if nobody is faster.
func (s *store) once(ctx context.Context, key string, create func() ([]byte, error)) ([]byte, error) {
	for range maxAttempts {
		found, err := s.kv.get(ctx, key)
		if err != nil {
			return nil, err
		}
		if v, ok := found[key]; ok {
			return v.data, nil
		}
		data, err := create()
		if err != nil {
			return nil, err
		}
		stored, err := s.kv.commit(ctx, map[string]int64{key: 0}, []change{{key, data}})
		if err != nil {
			return nil, err
		}
		if stored {
			return data, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", key, errBusy)
}

func (s *store) Identity(ctx context.Context, array string) (string, error) {
	found, err := s.kv.get(ctx, keyIdentity(array))
	if err != nil {
		return "", fmt.Errorf("identity of array %s: %w", array, err)
	}
	return string(found[keyIdentity(array)].data), nil
}

func (s *store) StoreIdentity(ctx context.Context, array, identity string) error {
	if identity == "" {
		return nil
	}
	stored, err := s.once(ctx, keyIdentity(array), func() ([]byte, error) { return []byte(identity), nil })
	if err != nil {
		return fmt.Errorf("store the identity of array %s: %w", array, err)
	}
	if string(stored) != identity {
		return fmt.Errorf("%w: array %s is %s, and %s was attached before", cachecore.ErrIdentity, array, identity, stored)
	}
	return nil
}

func (s *store) NAA(ctx context.Context, volume string) (naa [16]byte, err error) {
	text, err := s.once(ctx, keyNAA(volume), newNAA)
	if err != nil {
		return naa, fmt.Errorf("identifier of volume %s: %w", volume, err)
	}
	if n, err := hex.Decode(naa[:], text[:min(len(text), 32)]); err != nil || n != len(naa) || len(text) != 32 {
		return naa, fmt.Errorf("identifier of volume %s: %q is not 32 hex digits", volume, text)
	}
	return naa, nil
}

// newNAA draws 122 bits of an NAA 6 identifier. The company in it, its bits 4 to 27, is marked as locally administered and individual, so
// that it meets no manufacturer's.
func newNAA() ([]byte, error) {
	var naa [16]byte
	if _, err := rand.Read(naa[:]); err != nil {
		return nil, err
	}
	naa[0] = 0x60 | naa[0]&0x0f
	naa[1] = naa[1]&^0x10 | 0x20 // the low bits of the company's first octet: individual, local
	return []byte(hex.EncodeToString(naa[:])), nil
}

func (s *store) ClusterID(ctx context.Context) (string, error) {
	id, err := s.once(ctx, keyClusterID, func() ([]byte, error) {
		id, err := uuid.NewRandom()
		return []byte(id.String()), err
	})
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	return string(id), nil
}
