package gateway

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/flash"
)

// flashNotes is what the gateway remembers of its flash tiers, in a file of its data-dir: which store each pool has, how each volume was served last, and
// where write logs are. It is always durable before what it is about: a store that isn't noted is not opened, and a volume that isn't noted finds nothing in
// one. A file that is gone costs the caches' content, and that a log is missed where the flash has another size by now: volumes that have writes in it are
// offline then (back.verify).
type flashNotes struct {
	path string
	mu   struct {
		sync.Mutex // held over writing the file
		noted
	}
}

// noted is the file.
type noted struct {
	Epoch   cachecore.Epoch       `json:"epoch"`   // the last that was given to a volume
	Pools   map[string]string     `json:"pools"`   // the ID of each pool's store
	Volumes map[string]lastServed `json:"volumes"` // by name
	Logs    map[string]flashLog   `json:"logs,omitempty"`
}

// flashLog is where a pool's flash has had a write log in it.
type flashLog struct {
	Path  string `json:"path"`
	From  int64  `json:"from"` // bytes
	Bytes int64  `json:"bytes"`
}

// lastServed says how a volume was served.
type lastServed struct {
	With  string          `json:"with"`  // everything that has to be the same for what is cached to count
	Since cachecore.Epoch `json:"since"` // since when it has been so, without a gap
}

// openFlashNotes reads the file. One that makes no sense is as good as none.
func openFlashNotes(dir string) (*flashNotes, error) {
	n := &flashNotes{path: filepath.Join(dir, "flash.json")}
	text, err := os.ReadFile(n.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("notes of the flash tiers: %w", err)
	}
	if json.Unmarshal(text, &n.mu.noted) != nil {
		n.mu.noted = noted{}
	}
	return n, nil
}

// store is the ID of a pool's store, false if none is to be opened.
func (n *flashNotes) store(pool string) (id flash.ID, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, err := hex.DecodeString(n.mu.Pools[pool])
	if err != nil || len(p) != len(id) {
		return id, false
	}
	return flash.ID(p), flash.ID(p) != flash.ID{}
}

// setStore notes a pool's store; the zero ID: it has none any more.
func (n *flashNotes) setStore(pool string, id flash.ID) error {
	return n.change(func(x *noted) {
		if id == (flash.ID{}) {
			delete(x.Pools, pool)
		} else {
			x.Pools[pool] = hex.EncodeToString(id[:])
		}
	})
}

// since returns the epoch since which a volume has been served without a gap with what it is served with now. An empty word is a gap by itself.
func (n *flashNotes) since(volume, with string) (epoch cachecore.Epoch, err error) {
	err = n.change(func(x *noted) {
		last, known := x.Volumes[volume]
		if !known || last.With != with || with == "" {
			x.Epoch++
			last = lastServed{With: with, Since: x.Epoch}
			x.Volumes[volume] = last
		}
		epoch = last.Since
	})
	return epoch, err
}

// forget makes what was cached of a volume worth nothing: it is served without it.
func (n *flashNotes) forget(volume string) error {
	return n.change(func(x *noted) { delete(x.Volumes, volume) })
}

// log is where the pool's flash at that path has had its write log last; the zero value: nowhere.
func (n *flashNotes) log(pool, path string) flashLog {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.mu.Logs[pool]; l.Path == path {
		return l
	}
	return flashLog{}
}

// setLog notes where a pool's flash has its write log; the zero value: it has none any more.
func (n *flashNotes) setLog(pool string, l flashLog) error {
	return n.change(func(x *noted) {
		if x.Logs[pool] = l; l == (flashLog{}) {
			delete(x.Logs, pool)
		}
	})
}

// keep forgets the stores of all pools, and all volumes, but these.
func (n *flashNotes) keep(pool, volume func(name string) bool) error {
	return n.change(func(x *noted) {
		maps.DeleteFunc(x.Pools, func(name string, _ string) bool { return !pool(name) })
		maps.DeleteFunc(x.Volumes, func(name string, _ lastServed) bool { return !volume(name) })
	})
}

// change makes a change durable, if it is one. After an error the old notes stay, here and in the file.
func (n *flashNotes) change(f func(*noted)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := noted{Epoch: n.mu.Epoch, Pools: map[string]string{}, Volumes: map[string]lastServed{}, Logs: map[string]flashLog{}}
	maps.Copy(next.Pools, n.mu.Pools)
	maps.Copy(next.Volumes, n.mu.Volumes)
	maps.Copy(next.Logs, n.mu.Logs)
	f(&next)
	if next.Epoch == n.mu.Epoch && maps.Equal(next.Pools, n.mu.Pools) && maps.Equal(next.Volumes, n.mu.Volumes) &&
		maps.Equal(next.Logs, n.mu.Logs) {
		return nil
	}
	text, err := json.MarshalIndent(next, "", "  ")
	if err == nil {
		err = replaceFile(n.path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("notes of the flash tiers: %w", err)
	}
	n.mu.noted = next
	return nil
}

// replaceFile puts a file in another's place, durably: after a crash it is one or the other.
func replaceFile(path string, content []byte) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	f, err := os.CreateTemp(dir.Name(), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return dir.Sync()
}
