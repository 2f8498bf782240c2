package etcd

import (
	"bytes"
	"context"
	"strings"
	"sync"
)

// memory is a kv in a map.
type memory struct {
	mu       sync.Mutex
	revision int64
	values   map[string]value
}

func newMemory() *memory { return &memory{values: map[string]value{}} }

func (m *memory) get(ctx context.Context, keys ...string) (map[string]value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]value{}
	for _, key := range keys {
		if v, ok := m.values[key]; ok {
			found[key] = v
		}
	}
	return found, ctx.Err()
}

func (m *memory) list(ctx context.Context, prefix string) (map[string]value, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]value{}
	for key, v := range m.values {
		if strings.HasPrefix(key, prefix) {
			found[key] = v
		}
	}
	return found, ctx.Err()
}

func (m *memory) commit(ctx context.Context, when map[string]int64, changes []change) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, revision := range when {
		if m.values[key].revision != revision {
			return false, nil
		}
	}
	m.revision++
	for _, c := range changes {
		if c.data == nil {
			delete(m.values, c.key)
			continue
		}
		m.values[c.key] = value{bytes.Clone(c.data), m.revision}
	}
	return true, nil
}
