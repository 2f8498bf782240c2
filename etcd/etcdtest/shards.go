package etcdtest

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"forebay/cachecore"
	"forebay/etcd"
)

func epochs(t *testing.T, s etcd.Store) {
	first, err := s.NewEpoch(t.Context(), "a/b")
	if err != nil || first.Epoch == 0 || first.Base != 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	raised, err := s.RaiseBase(t.Context(), "a/b", "", "")
	if err != nil || raised <= first.Epoch {
		t.Fatalf("%d after %d, %v", raised, first.Epoch, err)
	}
	second, err := s.NewEpoch(t.Context(), "a/b")
	if err != nil || second.Epoch <= raised || second.Base != raised {
		t.Errorf("%+v after %d, %v", second, raised, err)
	}
	expect(t, s, second)
	other, err := s.NewEpoch(t.Context(), "a")
	if err != nil || other != first {
		t.Errorf("another volume: %+v, %v", other, err)
	}
	if all, err := s.Shards(t.Context()); err != nil || !maps.Equal(all, map[string]etcd.Shard{"a/b": second, "a": other}) {
		t.Errorf("%+v, %v", all, err)
	}
}

// expect holds the record of a volume against what it should be.
func expect(t *testing.T, s etcd.Store, want etcd.Shard) {
	t.Helper()
	if got, err := s.Shard(t.Context(), "a/b"); err != nil || got != want {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
}

func logs(t *testing.T, s etcd.Store) {
	expect(t, s, etcd.Shard{})
	for range 2 { // calling again is right
		if err := s.ChangeLog(t.Context(), "a/b", "", "one", "san1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range [][2]string{{"", "two"}, {"two", ""}} {
		if err := s.ChangeLog(t.Context(), "a/b", c[0], c[1], "san1"); !errors.Is(err, etcd.ErrOtherLog) || !strings.Contains(err.Error(), "one") {
			t.Errorf("%q: %v", c, err)
		}
	}
	if r, err := s.NewEpoch(t.Context(), "a/b"); err != nil || r.Log != "one" || r.Array != "san1" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := s.ChangeLog(t.Context(), "a/b", "one", "one", "san2"); err != nil {
		t.Error(err)
	}
	if r, err := s.Shard(t.Context(), "a/b"); err != nil || r.Log != "one" || r.Array != "san2" {
		t.Errorf("%+v, %v", r, err)
	}
	for log, array := range map[string]string{"one": "san3", "": ""} { // none is of no array
		base, err := s.RaiseBase(t.Context(), "a/b", log, "san3")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, s, etcd.Shard{Epoch: base, Base: base, Log: log, Array: array})
	}
	r, err := s.Shard(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ChangeLog(t.Context(), "a/b", r.Log, "two", "san1"); err != nil {
		t.Error(err)
	}
	if err := s.ChangeLog(t.Context(), "a/b", "two", "", "san1"); err != nil {
		t.Error(err)
	}
	if r, err := s.Shard(t.Context(), "a/b"); err != nil || r.Log != "" || r.Array != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func losses(t *testing.T, s etcd.Store) {
	if err := s.ChangeLog(t.Context(), "a/b", "", "one", "san1"); err != nil {
		t.Fatal(err)
	}
	for i, above := range []cachecore.Epoch{7, 3} {
		want := etcd.Shard{Epoch: 8 + cachecore.Epoch(i), Base: 8 + cachecore.Epoch(i), Losses: 1 + uint64(i)}
		if r, err := s.DeclareLost(t.Context(), "a/b", above); err != nil || r != want {
			t.Errorf("%+v, want %+v, %v", r, want, err)
		}
		expect(t, s, want)
	}
	if r, err := s.NewEpoch(t.Context(), "a/b"); err != nil || r.Losses != 2 || r.Base != 9 || r.Epoch != 10 {
		t.Errorf("%+v, %v", r, err)
	}
}

func policies(t *testing.T, s etcd.Store) {
	for _, want := range []string{"", "back", "through", ""} {
		if err := s.SetPolicy(t.Context(), "a/b", want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Policy(t.Context(), "a/b"); err != nil || got != want {
			t.Errorf("%q, want %q, %v", got, want, err)
		}
	}
}
