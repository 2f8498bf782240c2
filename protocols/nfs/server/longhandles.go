package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"forebay/protocols/nfs"
)

// LongHandles keeps file systems' handles by their SHA-256, for as long as clients may have it. Many goroutines use it.
type LongHandles interface {
	// Store keeps a handle. It returns when it can no longer be lost. h is not kept.
	Store(ctx context.Context, hash [32]byte, h nfs.Handle) error
	// Load returns a handle that has been stored, or nil if there is none.
	Load(ctx context.Context, hash [32]byte) (nfs.Handle, error)
}

// MemLongHandles is a LongHandles in memory: that of one process. Its zero value is empty.
type MemLongHandles struct {
	mu     sync.Mutex
	byHash map[[32]byte]nfs.Handle
}

// Store implements LongHandles.
func (m *MemLongHandles) Store(ctx context.Context, hash [32]byte, h nfs.Handle) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byHash == nil {
		m.byHash = make(map[[32]byte]nfs.Handle)
	}
	m.byHash[hash] = bytes.Clone(h)
	return ctx.Err()
}

// Load implements LongHandles.
func (m *MemLongHandles) Load(ctx context.Context, hash [32]byte) (nfs.Handle, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byHash[hash], ctx.Err()
}

const maxKnown = 16 << 10

// longHandles knows some of what is stored.
type longHandles struct {
	store LongHandles // may be nil
	mu    struct {
		sync.RWMutex
		known map[[32]byte]nfs.Handle // not changed once it is in here; at most maxKnown
	}
}

var errNoLongHandles = errors.New("the file system's handles are too long, and there is nowhere to keep them")

func newLongHandles(store LongHandles) *longHandles {
	l := &longHandles{store: store}
	l.mu.known = make(map[[32]byte]nfs.Handle)
	return l
}

// cached is the handle of a hash that is known, or nil.
func (l *longHandles) cached(hash *[32]byte) nfs.Handle {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.mu.known[*hash]
}

// remember makes room by forgetting anything: what is needed again is loaded again.
func (l *longHandles) remember(hash *[32]byte, h nfs.Handle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for old := range l.mu.known {
		if len(l.mu.known) < maxKnown {
			break
		}
		delete(l.mu.known, old)
	}
	l.mu.known[*hash] = h
}

// load returns the handle of a hash, or nil if there is none.
func (l *longHandles) load(ctx context.Context, hash *[32]byte) (nfs.Handle, error) {
	if h := l.cached(hash); h != nil {
		return h, nil
	}
	if l.store == nil {
		return nil, nil
	}
	h, err := l.store.Load(ctx, *hash)
	if err != nil || h == nil {
		return nil, err
	}
	if sha256.Sum256(h) != *hash {
		return nil, fmt.Errorf("long handle %x: what is stored is another one", hash[:4])
	}
	l.remember(hash, bytes.Clone(h))
	return h, nil
}

// keep stores a handle, unless that has been done, and returns its hash. With atOnce it must not wait; ready is false if it
// would have to.
func (l *longHandles) keep(wait context.Context, h nfs.Handle) (hash [32]byte, ready bool, err error) {
	hash = sha256.Sum256(h)
	switch {
	case l.cached(&hash) != nil:
		return hash, true, nil
	case wait == atOnce:
		return hash, false, nil
	case l.store == nil:
		return hash, true, errNoLongHandles
	}
	if err := l.store.Store(wait, hash, h); err != nil {
		return hash, true, fmt.Errorf("store a long handle: %w", err)
	}
	l.remember(&hash, bytes.Clone(h))
	return hash, true, nil
}
