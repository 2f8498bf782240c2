package witnesses

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"forebay/cachecore/flash"
	"forebay/protocols/nfs"
)

// memory is a medium that a test cuts the power of, fills and looks at.
type memory struct {
	mu      sync.Mutex
	content []byte // as it is read
	durable []byte
	syncs   int
	broken  error         // what writing fails with; nil: it doesn't
	syncing chan struct{} // a sync sends to it, and receives before it is done; nil: it doesn't
}

func (m *memory) load(most int64) ([]byte, error) {
	return bytes.Clone(m.content[:min(int64(len(m.content)), most)]), nil
}

func (m *memory) write(p []byte, at int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	if end := int(at) + len(p); end > len(m.content) {
		m.content = append(m.content, make([]byte, end-len(m.content))...)
	}
	copy(m.content[at:], p)
	return nil
}

func (m *memory) sync() error {
	if m.syncing != nil {
		m.syncing <- struct{}{}
		<-m.syncing
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	m.durable = bytes.Clone(m.content)
	m.syncs++
	return nil
}

func (m *memory) close() error { return nil }

// cut is the medium after a power cut: of what was not durable a part may be there.
func (m *memory) cut(arrived func(at int) bool) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := bytes.Clone(m.durable)
	for at := range left {
		if arrived(at) {
			left[at] = m.content[at]
		}
	}
	return &memory{content: left, durable: bytes.Clone(left)}
}

var errBroken = errors.New("input/output error")

// book is a file, and what was condemned.
type book struct {
	*File
	condemned []flash.ID
	refuses   error // to condemn
	unkept    flash.ID
}

const most = 32

func opened(t *testing.T, m medium) *book {
	t.Helper()
	b := new(book)
	b.unkept = flash.ID{9}
	f, err := open(m, Options{Most: most, Log: zerolog.Nop(), Keep: func(_ Hash, id flash.ID) bool { return id != b.unkept },
		Condemn: func(id flash.ID) error {
			if b.refuses == nil {
				b.condemned = append(b.condemned, id)
			}
			return b.refuses
		}})
	if err != nil {
		t.Fatal(err)
	}
	b.File = f
	return b
}

func handle(i int) nfs.Handle { return bytes.Repeat([]byte{byte(i + 1)}, 1+i%nfs.MaxHandle) }

func witness(i int) Witness {
	return Witness{Filer: Hash{byte(i)}, Store: flash.ID{1}, Key: flash.Key{2, byte(i)},
		Attr: Attr{Size: uint64(i), Mtime: nfs.Time{Seconds: uint32(i), Nanoseconds: 3}, Ctime: nfs.Time{Seconds: 4, Nanoseconds: uint32(i)}, FSID: 5, FileID: 6}}
}

// has compares what there is of the volume "a" with some witnesses, by number.
func (b *book) has(t *testing.T, what string, want ...int) {
	t.Helper()
	v := b.Of("a")
	for _, i := range want {
		if w, ok := v.Find(handle(i)); !ok || w != witness(i) {
			t.Errorf("%s: %d: %v %+v", what, i, ok, w)
		}
	}
	if n := len(b.mu.entries); n != len(want) {
		t.Errorf("%s: %d witnesses, not %d", what, n, len(want))
	}
}

func (b *book) put(t *testing.T, list ...int) {
	t.Helper()
	for _, i := range list {
		if !b.Of("a").Put(handle(i), witness(i)) {
			t.Fatalf("%d is not taken", i)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
