package etcdtest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"forebay/etcd"
)

func clusterKey(t *testing.T, s etcd.Store) {
	first, err := s.ClusterKey(t.Context())
	if err != nil || first == [32]byte{} {
		t.Fatalf("%x, %v", first, err)
	}
	if again, err := s.ClusterKey(t.Context()); err != nil || again != first {
		t.Errorf("it has become %x, %v", again, err)
	}
}

func exportIDs(t *testing.T, s etcd.Store) {
	var all sync.WaitGroup
	ids := make([]uint16, 8)
	for i := range ids {
		all.Go(func() {
			var err error
			if ids[i], err = s.ExportID(t.Context(), fmt.Sprint("volume/", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[uint16]bool{}
	for i, id := range ids {
		if id == 0 || seen[id] {
			t.Errorf("%d of %v", id, ids)
		}
		seen[id] = true
		if again, err := s.ExportID(t.Context(), fmt.Sprint("volume/", i)); err != nil || again != id {
			t.Errorf("%d has become %d, %v", id, again, err)
		}
	}
}

func handles(t *testing.T, s etcd.Store) {
	hash := [32]byte{1}
	if h, err := s.Handle(t.Context(), hash); err != nil || h != nil {
		t.Fatalf("%x, %v", h, err)
	}
	for range 2 {
		if err := s.StoreHandle(t.Context(), hash, []byte("handle")); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := s.Handle(t.Context(), hash); err != nil || !bytes.Equal(h, []byte("handle")) {
		t.Errorf("%q, %v", h, err)
	}
}
