package etcdtest

import (
	"testing"

	"forebay/etcd"
)

func epochs(t *testing.T, s etcd.Store) {
	first, base, err := s.NewEpoch(t.Context(), "a/b")
	if err != nil || first == 0 || base != 0 {
		t.Fatalf("%d, %d, %v", first, base, err)
	}
	raised, err := s.RaiseBase(t.Context(), "a/b")
	if err != nil || raised <= first {
		t.Fatalf("%d after %d, %v", raised, first, err)
	}
	second, base, err := s.NewEpoch(t.Context(), "a/b")
	if err != nil || second <= raised || base != raised {
		t.Errorf("%d and base %d after %d, %v", second, base, raised, err)
	}
	if other, base, err := s.NewEpoch(t.Context(), "a"); err != nil || other != first || base != 0 {
		t.Errorf("another volume: %d, %d, %v", other, base, err)
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
