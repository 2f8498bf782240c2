package flash

import (
	"encoding/binary"
	"errors"
	"testing"
)

// Objects that nobody uses any more give their places to others, though the device has room for all they hold.
func TestObjectsThatNobodyUsesMakeRoomForOthers(t *testing.T) {
	r := rigFor(t, 40, Options{})
	r.s.objects.limit = 8
	attach := func(n uint64) (*Object, error) {
		var k Key
		binary.LittleEndian.PutUint64(k[:], n)
		o, err := r.s.Attach(bg, k, 1, 1)
		if err == nil {
			for range 2 {
				b := o.Prepare(0, 1)
				b.Publish()
			}
		}
		return o, err
	}
	for n := range uint64(40) {
		o, err := attach(n)
		for tries := 0; errors.Is(err, ErrFull) && tries < 10; tries++ {
			r.quiet()
			o, err = attach(n)
		}
		if err != nil {
			t.Fatalf("object %d: %v", n, err)
		}
		o.Detach()
	}
	if r.s.objects.inUse != 0 {
		t.Errorf("%d are in use", r.s.objects.inUse)
	}
}

// As long as all are in use nothing is thrown away for one more.
func TestObjectsInUseMakeNoRoom(t *testing.T) {
	r := rigFor(t, 12, Options{})
	k := keyOf(1)
	r.cache(k, 0, 26)
	r.spill()
	r.s.objects.limit = 1
	for range 3 {
		if _, err := r.s.Attach(bg, keyOf(2), 1, 1); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		r.quiet()
	}
	if n := r.check(k, 0, 26); n != 26 {
		t.Errorf("%d of 26 blocks are left", n)
	}
}

// What is dropped leaves its pieces behind, which hold its place until their region goes. The object goes on under another number all the same: nobody
// attaches it again.
func TestAnObjectInUseIsCachedAgainAfterADropThoughThereIsNoRoomForOthers(t *testing.T) {
	for name, drop := range map[string]func(*Object) error{
		"as it was asked for":       func(o *Object) error { return o.Drop(bg) },
		"as all of it is cut off":   func(o *Object) error { return o.Invalidate(bg, 0, uint64(Blocks)) },
		"as it was asked for twice": func(o *Object) error { return errors.Join(o.Drop(bg), o.Drop(bg)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rigFor(t, 40, Options{})
			k := keyOf(1)
			for n := range byte(8) {
				r.cache(keyOf(1+n), 0, 4)
			}
			r.spill()
			r.s.objects.limit = 8
			if _, err := r.s.Attach(bg, keyOf(9), 1, 1); !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			if err := drop(r.object(k)); err != nil {
				t.Fatal(err)
			}
			r.cache(k, 0, 4)
			if n := r.check(k, 0, 4); n != 4 {
				t.Errorf("%d of 4 blocks are cached", n)
			}
		})
	}
}
