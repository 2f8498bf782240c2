package iscsi

import (
	"errors"
	"slices"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// twoPaths is an array over two portals, of which the first is in use. It has sent a write that is held, and lost that path; no login is
// possible until the wire is mended.
func twoPaths(t *testing.T, change func(*fake, *Options)) (*fake, *wire, *Array, <-chan error) {
	t.Helper()
	f, w := newFake(t, cached, 2), &wire{}
	f.mu.groups = true
	f.ports[1].state = initiator.NonOptimized
	o := f.options()
	o.Dial, o.Patience = w.dial, 100*time.Millisecond
	change(f, &o)
	a := open(t, o)
	arrive(t, a, 2)
	held := f.holdWrite(anything)
	first := writing(t.Context(), a, pattern(1, 512), 0)
	receive(t, held)
	w.dead.Store(true)
	f.ports[0].target.Drop()
	return f, w, a, first
}

// A LOGICAL UNIT RESET does not reach what is still on its way to the array over the lost path.
func TestD2_APathInDoubtIsWaitedForWhereItCantBeFenced(t *testing.T) {
	for name, change := range map[string]func(*fake, *Options){
		"no reservation wanted": func(*fake, *Options) {},
		"no reservations known": func(f *fake, o *Options) { f.mu.noPR, o.Reserve, o.Key = true, true, 0xabc },
		"no preemption": func(f *fake, o *Options) {
			o.Reserve, o.Key = true, 0xabc
			f.mu.script = func(_ *port, op byte, cdb []byte) (byte, *sense) {
				if op == opReserveOut && cdb[1]&0x1f == 4 {
					return statusCheck, &sense{5, 0x24, 0}
				}
				return 0, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, w, a, first := twoPaths(t, change)
			if err := receive(t, first); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, errDoubt) {
				t.Fatal(err)
			}
			w.dead.Store(false)
			arrive(t, a, 2)
			mustWrite(t, a, pattern(2, 512), 0, cachecore.WriteOptions{})
			f.deliver()
			expect(t, a, 0, pattern(2, 512))
		})
	}
}

func TestD2_APathInDoubtIsNotWaitedForForEver(t *testing.T) {
	_, _, a, first := twoPaths(t, func(_ *fake, o *Options) { o.Drain, o.Patience = 50*time.Millisecond, time.Minute })
	if err := receive(t, first); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, pattern(1, 512))
}

func TestD2_APathInDoubtLosesItsRegistration(t *testing.T) {
	const key = 0x1234_5678_0000_0000
	f, _, a, first := twoPaths(t, func(_ *fake, o *Options) { o.Reserve, o.Key, o.Patience = true, key, time.Minute })
	if err := receive(t, first); err != nil {
		t.Fatal(err)
	}
	expect(t, a, 0, pattern(1, 512))
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []uint64
	for _, k := range f.mu.keys {
		keys = append(keys, k)
	}
	if !slices.Equal(keys, []uint64{key + 1}) || f.mu.keys[f.mu.holder] != key+1 {
		t.Errorf("registered are %x, the holder is %q", keys, f.mu.holder)
	}
}

// What an earlier boot of the same gateway registered, over whatever path, may still be used by what it has sent.
func TestD2_KeysOfEarlierBootsLoseTheirRegistration(t *testing.T) {
	const boot, earlier, foreign = 0x1234_5678_0000_0100, 0x1234_5678_0000_0200, 0x9999_5678_0000_0100
	f := newFake(t, cached, 1)
	f.mu.keys["an earlier path"], f.mu.keys["another host"] = earlier, foreign
	f.mu.holder, f.mu.typ = "an earlier path", initiator.WriteExclusiveRegistrants
	o := f.options()
	o.Reserve, o.Key = true, boot
	open(t, o)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.keys["an earlier path"] != 0 || f.mu.keys["another host"] != foreign || f.mu.keys[f.mu.holder] != boot {
		t.Errorf("registered are %x, the holder is %q", f.mu.keys, f.mu.holder)
	}
}
