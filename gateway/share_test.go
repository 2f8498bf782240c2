package gateway

import (
	"context"
	"testing"
	"time"

	"forebay/cachecore/ram"
	"forebay/configs"
	"forebay/gateway/export"
	"forebay/protocols/nfs/nfstest"
)

// memory is an open filer in memory.
type memory struct{ *nfstest.Mem }

func (memory) Identity() string { return "memory" }
func (memory) Close() error     { return nil }

// Two exports of one filer are ways to the same files: what is done through one is seen through the other.
func TestExportsOfOneFilerShowTheSame(t *testing.T) {
	log := newLines(t).logger()
	arena, err := ram.NewArena(2 << 20)
	if err != nil {
		t.Fatal(err)
	}
	store, err := ram.NewStore(arena.Take(1 << 20))
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{store: store, buffers: ram.NewBuffers(arena.Take(1 << 20))}
	mem := nfstest.New(nfstest.Options{})
	f := newFiler("a", "memory", nil, log)
	objects := new(export.Objects)
	var users []nfstest.User
	for i, path := range []string{"/one", "/two"} {
		c := configs.Volume{Name: path, NFS: &configs.NFSExport{Export: path, AttributeCache: configs.Duration(time.Hour)}}
		s, err := newShare(c, uint16(i), p, objects, f, nil, false, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		users = append(users, nfstest.User{T: t, FS: s.export})
	}
	f.attached(memory{mem})
	h := mem.Put("a", make([]byte, 100))
	for i := range 4 {
		users[i%2].Truncate(h, uint64(i))
		for _, u := range users {
			if got := u.GetAttr(h); got.Attr.Size != uint64(i) {
				t.Errorf("size %d, not %d", got.Attr.Size, i)
			}
		}
	}
}
