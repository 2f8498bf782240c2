// Package etcdtest has the suite that every etcd.Store passes, the memory twin included.
package etcdtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"forebay/cachecore"
	"forebay/etcd"
)

// Suite runs what every Store keeps. Each test calls open once, for a store that is empty.
func Suite(t *testing.T, open func(t *testing.T) etcd.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, etcd.Store)
	}{
		{"ClusterIDIsMadeOnce", clusterID},
		{"D6_AnIdentityIsStoredOnce", identity},
		{"NAAIsMadeOnceAndUnique", naa},
		{"NAAIsMadeOnceByManyAtOnce", naaAtOnce},
		{"TheClusterKeyIsMadeOnce", clusterKey},
		{"ExportsHaveNumbersOfTheirOwn", exportIDs},
		{"HandlesAreFoundByTheirHash", handles},
		{"A2_EpochsOnlyGrow", epochs},
		{"A4_TheRecordNamesOneLog", logs},
		{"A7_ALossIsCountedAndLeavesNothingThatCounts", losses},
		{"PoliciesAreKept", policies},
		{"AFileMayChangeWhatItApplied", changes},
		{"DriftIsRefusedAndTold", drift},
		{"AFileMayGiveUpWhatOthersChanged", givenUp},
		{"WhatAFileNoLongerHoldsIsRemoved", dropped},
		{"WhatAnotherFileHoldsStays", shared},
		{"ManyObjectsAreOneChange", many},
		{"BadObjectsAreRefused", bad},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func clusterID(t *testing.T, s etcd.Store) {
	first, err := s.ClusterID(t.Context())
	if err != nil || len(first) != 36 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := s.ClusterID(t.Context()); err != nil || again != first {
		t.Errorf("it has become %q, %v", again, err)
	}
}

func identity(t *testing.T, s etcd.Store) {
	if id, err := s.Identity(t.Context(), "a/b"); err != nil || id != "" {
		t.Fatalf("before the first attachment: %q, %v", id, err)
	}
	for range 2 {
		if err := s.StoreIdentity(t.Context(), "a/b", "uuid:1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.StoreIdentity(t.Context(), "a/b", "uuid:2"); !errors.Is(err, cachecore.ErrIdentity) {
		t.Errorf("another identity: %v", err)
	}
	if err := s.StoreIdentity(t.Context(), "nameless", ""); err != nil {
		t.Error(err)
	}
	if id, err := s.Identity(t.Context(), "a/b"); err != nil || id != "uuid:1" {
		t.Errorf("%q, %v", id, err)
	}
}

func naa(t *testing.T, s etcd.Store) {
	seen := map[[16]byte]string{}
	for i := range 32 {
		volume := fmt.Sprintf("volume %d", i)
		id, err := s.NAA(t.Context(), volume)
		if err != nil {
			t.Fatal(err)
		}
		if id[0]>>4 != 6 || id[1]&0x30 != 0x20 {
			t.Errorf("%x is not NAA 6 of a local, individual company", id)
		}
		if other, taken := seen[id]; taken {
			t.Errorf("%s and %s share %x", volume, other, id)
		}
		seen[id] = volume
		if again, err := s.NAA(t.Context(), volume); err != nil || again != id {
			t.Errorf("%s has become %x, %v", volume, again, err)
		}
	}
}

func naaAtOnce(t *testing.T, s etcd.Store) {
	var all sync.WaitGroup
	ids := make([][16]byte, 8)
	for i := range ids {
		all.Go(func() {
			var err error
			if ids[i], err = s.NAA(t.Context(), "one"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("%x", ids)
		}
	}
}

// object is written with spaces, which mean nothing.
func object(kind, name, document string) etcd.Object {
	return etcd.Object{Kind: kind, Name: name, Document: []byte(" " + document)}
}

func apply(t *testing.T, s etcd.Store, file string, objects ...etcd.Object) {
	t.Helper()
	if err := s.ApplyFile(t.Context(), file, objects); err != nil {
		t.Fatal(err)
	}
}

// refused returns the drift that must be found.
func refused(t *testing.T, s etcd.Store, file string, objects ...etcd.Object) *etcd.DriftError {
	t.Helper()
	var drift *etcd.DriftError
	if err := s.ApplyFile(t.Context(), file, objects); !errors.As(err, &drift) {
		t.Fatalf("no drift is told but %v", err)
	}
	return drift
}

func changes(t *testing.T, s etcd.Store) {
	pool := object("pool", "fast", `{"name": "fast"}`)
	apply(t, s, "gw-a:/f", pool, object("volume", "v", `{"a": 1, "b": 2}`))
	apply(t, s, "gw-a:/f", pool, object("volume", "v", `{"b": 2, "a": 1}`))
	apply(t, s, "gw-a:/f", pool, object("volume", "v", `{"b": 3}`))
	apply(t, s, "gw-b:/f", pool, object("volume", "v", `{"b": 3}`)) // the same, from elsewhere
	_ = refused(t, s, "gw-c:/f", pool, object("volume", "v", `{"b": 4}`))
}

func drift(t *testing.T, s etcd.Store) {
	apply(t, s, "gw-a:/f", object("volume", "v", `{"policy": {"write": "through"}, "luns": [1, 2]}`))
	apply(t, s, "gw-b:/f", object("volume", "v", `{"policy": {"write": "through"}, "luns": [1, 2]}`))
	apply(t, s, "gw-b:/f", object("volume", "v", `{"policy": {"write": "back"}, "luns": [1]}`))

	old := object("volume", "v", `{"policy": {"write": "through"}, "luns": [1, 2]}`)
	e := refused(t, s, "gw-a:/f", old, object("volume", "new", `{}`))
	for _, words := range []string{"gw-a:/f", "volume v: policy.write: the cluster has \"back\", the file \"through\"", "volume v: luns[1]: the cluster has nothing, the file 2"} {
		if !strings.Contains(e.Error(), words) {
			t.Errorf("it does not say %q: %v", words, e)
		}
	}
	if len(e.Differences) != 2 {
		t.Errorf("%d differences: %v", len(e.Differences), e)
	}
	_ = refused(t, s, "gw-a:/f", old, object("volume", "new", `{}`)) // nothing was applied in part
	apply(t, s, "gw-a:/f", object("volume", "v", `{"policy": {"write": "back"}, "luns": [1]}`))
	apply(t, s, "gw-a:/f", object("volume", "v", `{"policy": {"write": "back"}, "luns": []}`))
}

func givenUp(t *testing.T, s etcd.Store) {
	v := object("volume", "v", `{"a":1}`)
	apply(t, s, "gw-a:/f", v)
	apply(t, s, "gw-b:/f", v)
	apply(t, s, "gw-b:/f", object("volume", "v", `{"a":2}`))
	apply(t, s, "gw-c:/f", object("volume", "v", `{"a":2}`))
	_ = refused(t, s, "gw-a:/f", v)
	apply(t, s, "gw-a:/f") // it no longer holds it, others do
	apply(t, s, "gw-b:/f")
	apply(t, s, "gw-c:/f")
	apply(t, s, "gw-a:/f", v) // and now nobody has it
}

func dropped(t *testing.T, s etcd.Store) {
	a, b := object("volume", "a", `{"a":1}`), object("volume", "b", `{"b":1}`)
	apply(t, s, "gw-a:/f", a, b)
	apply(t, s, "gw-a:/f", a)
	apply(t, s, "gw-b:/f", object("volume", "b", `{"b":2}`)) // would be drift if b were still there
	e := refused(t, s, "gw-a:/f", a, b)
	if len(e.Differences) != 1 || e.Differences[0].Name != "b" {
		t.Error(e)
	}
}

func shared(t *testing.T, s etcd.Store) {
	pool := object("pool", "fast", `{"name":"fast"}`)
	apply(t, s, "gw-a:/f", pool)
	apply(t, s, "gw-b:/f", pool)
	apply(t, s, "gw-a:/f")
	_ = refused(t, s, "gw-c:/f", object("pool", "fast", `{"name":"slow"}`)) // it is still there
	apply(t, s, "gw-b:/f")
	apply(t, s, "gw-c:/f", object("pool", "fast", `{"name":"slow"}`))
}

func many(t *testing.T, s etcd.Store) {
	objects := make([]etcd.Object, 500)
	for i := range objects {
		objects[i] = object("volume", fmt.Sprintf("v%d", i), fmt.Sprintf(`{"n":%d}`, i))
	}
	apply(t, s, "gw-a:/f", objects...)
	apply(t, s, "gw-a:/f", objects...)
	apply(t, s, "gw-a:/f")
}

func bad(t *testing.T, s etcd.Store) {
	for name, objects := range map[string][]etcd.Object{
		"no JSON": {object("volume", "v", `{`)},
		"no name": {object("volume", "", `{}`)},
		"twice":   {object("volume", "v", `{}`), object("volume", "v", `{}`)},
	} {
		if err := s.ApplyFile(t.Context(), "gw-a:/f", objects); err == nil {
			t.Errorf("%s is applied", name)
		}
	}
}
