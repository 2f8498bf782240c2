package iscsi

import (
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

func TestD7_TheLUNIsReservedFromTheFirstAttachment(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	a := open(t, o)
	f.mu.Lock()
	key, typ := f.mu.keys[f.mu.holder], f.mu.typ
	f.mu.Unlock()
	if key != 0xabc || typ != initiator.WriteExclusiveRegistrants || a.Unfenced() {
		t.Fatalf("reserved by %x as type %d", key, typ)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	end(t, a)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.holder != "" || len(f.mu.keys) != 0 {
		t.Fatal("the reservation is left behind")
	}
}

func TestD7_ALUNThatSomebodyElseReservedIsNotUsed(t *testing.T) {
	for _, reserve := range []bool{true, false} {
		f := newFake(t, cached, 1)
		f.mu.keys["x"], f.mu.holder, f.mu.typ = 0x123, "x", 5
		o := f.options()
		o.Reserve, o.Key = reserve, 0xabc
		_, err := Open(t.Context(), o)
		if !errors.Is(err, errFenced) {
			t.Fatal(err)
		}
		if f.mu.keys["1"] != 0 || f.mu.keys["x"] != 0x123 {
			t.Fatalf("keys: %v", f.mu.keys)
		}
	}
}

func TestD7_AConflictThatProvesToBeAForeignReservationEndsTheUse(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	seen := events(&o)
	a := open(t, o)
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{"x": 0x123}, "x" })
	if err := a.WriteAt(t.Context(), pattern(1, 512), 0, cachecore.WriteOptions{}); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, errFenced) {
		t.Fatal(err)
	}
	if e := receive(t, seen); e.Available {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	if e := receive(t, seen); !e.Available || !e.Unproven {
		t.Fatalf("others may have written, and we are told %+v", e)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD7_ARegistrationThatIsGoneMakesTheCacheUnproven(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	seen := events(&o)
	a := open(t, o)
	f.set(func() { f.mu.keys, f.mu.holder = map[string]uint64{}, "" })
	f.drop()
	if e := receive(t, seen); !e.Available || !e.Unproven {
		t.Fatalf("%+v", e)
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD7_AnEarlierLifesReservationOfTheSameNexusIsTakenOver(t *testing.T) {
	f := newFake(t, cached, 1)
	f.mu.keys["1"], f.mu.holder, f.mu.typ = 0x777, "1", 5
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	mustWrite(t, open(t, o), pattern(1, 512), 0, cachecore.WriteOptions{})
}

func TestD4_AnArrayWithoutReservationsIsUnfenced(t *testing.T) {
	f := newFake(t, cached, 1)
	f.mu.noPR = true
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	if a := open(t, o); !a.Unfenced() {
		t.Fatal("it is taken to be fenced")
	}
}

func TestD7_APathThatHasNotRegisteredYetTakesOver(t *testing.T) {
	f := newFake(t, cached, 2)
	w := &wire{}
	o := f.options()
	o.Reserve, o.Key, o.Dial = true, 0xabc, w.dial
	a := open(t, o)
	arrive(t, a, 2)
	w.dead.Store(true)
	in := portal(t, a)
	for _, p := range f.ports {
		if p.target.Portal() == in {
			p.target.Drop()
		}
	}
	mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
	if portal(t, a) == in {
		t.Fatal("over a portal that is gone")
	}
}

func TestD7_AnEarlierLifesReservationOfAnotherPathIsTakenOver(t *testing.T) {
	f := newFake(t, cached, 2)
	f.mu.groups = true
	f.ports[1].state = initiator.Standby
	f.mu.keys["2"], f.mu.holder, f.mu.typ = 0x777, "2", 5
	o := f.options()
	o.Reserve, o.Key = true, 0xabc
	for range 1000 { // the second path may be late
		a, err := Open(t.Context(), o)
		if err == nil {
			t.Cleanup(func() { end(t, a) })
			mustWrite(t, a, pattern(1, 512), 0, cachecore.WriteOptions{})
			return
		}
		if !errors.Is(err, errFenced) {
			t.Fatal(err)
		}
	}
	t.Fatal("fenced by ourselves")
}
