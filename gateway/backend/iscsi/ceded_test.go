package iscsi

import (
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// The keys of one gateway: of this process, and of another boot.
const (
	thisBoot  = 0x1234_5678_0000_0100
	otherBoot = 0x1234_5678_0000_0200
)

// reserved is an array that is open and holds the reservation.
func reserved(t *testing.T) (*fake, *Array, <-chan Event) {
	t.Helper()
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, thisBoot
	seen := events(&o)
	return f, open(t, o), seen
}

// take has another key reserve the LUN, over a nexus, in place of ours.
func (f *fake) take(nexus string, key uint64) {
	f.set(func() {
		f.mu.keys, f.mu.holder, f.mu.typ = map[string]uint64{nexus: key}, nexus, initiator.WriteExclusiveRegistrants
	})
}

// A process that was stopped, and finds that its gateway was started again meanwhile, elsewhere, under the same name.
func TestD3_ALaterBootOfTheGatewayIsNotPreempted(t *testing.T) {
	for name, nexus := range map[string]string{"over our nexus": "1", "over another": "2"} {
		t.Run(name, func(t *testing.T) {
			f, a, seen := reserved(t)
			f.take(nexus, otherBoot)
			f.drop()
			if err := a.WriteAt(t.Context(), pattern(1, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, errFenced) || !errors.Is(err, cachecore.ErrUnavailable) {
				t.Fatal(err)
			}
			if e := receive(t, seen); e.Available || !e.Unproven {
				t.Errorf("%+v", e)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if len(f.mu.keys) != 1 || f.mu.keys[nexus] != otherBoot || f.mu.holder != nexus {
				t.Errorf("registered are %x, the holder is %q", f.mu.keys, f.mu.holder)
			}
		})
	}
}

func TestD7_WhatIsCachedIsUnprovenAsSoonAsOthersHaveTheLUN(t *testing.T) {
	f, _, seen := reserved(t)
	f.take("x", 0x123)
	f.drop()
	if e := receive(t, seen); e.Available || !e.Unproven || e.Forsaken {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	if e := receive(t, seen); !e.Available || !e.Unproven {
		t.Fatalf("%+v", e)
	}
}

// Also when that is found out while the array is away for another reason.
func TestD7_WhatIsCachedIsUnprovenOnceOthersAreFoundToHaveTheLUN(t *testing.T) {
	f := newFake(t, cached, 1)
	o, w := f.options(), &wire{}
	o.Reserve, o.Key, o.Dial, o.Patience = true, thisBoot, w.dial, 1
	seen := events(&o)
	open(t, o)
	w.dead.Store(true)
	w.cut()
	if e := receive(t, seen); e.Available || e.Unproven {
		t.Fatalf("%+v", e)
	}
	f.take("x", 0x123)
	w.dead.Store(false)
	for e := receive(t, seen); !e.Unproven; e = receive(t, seen) {
		if e.Available {
			t.Fatalf("%+v", e)
		}
	}
}

func TestD3_WhatWasNotFlushedIsNotWrittenOverWhatOthersWrote(t *testing.T) {
	f, a, seen := reserved(t)
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	f.take("x", 0x123)
	if err := f.mem.WriteAt(t.Context(), pattern(2, 512), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.drop()
	if e := receive(t, seen); e.Available || !e.Unproven || !e.Forsaken {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	if e := receive(t, seen); !e.Available || e.Forsaken {
		t.Fatalf("%+v", e)
	}
	mustFlush(t, a)
	expect(t, a, 0, pattern(2, 512))
}

// While the cache answers everything.
func TestD7_OthersAreFoundToHaveTheLUNThoughNothingIsAskedOfIt(t *testing.T) {
	f, a, seen := reserved(t)
	f.take("x", 0x123)
	f.attend(sense{6, 0x2a, 5})
	a.probe(t.Context())
	if e := receive(t, seen); e.Available || !e.Unproven {
		t.Fatalf("%+v", e)
	}
}
