package devicetest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore/device"
)

const least = 1 << 20

// Suite runs what every device keeps. open returns one of at least 1 MiB, which the suite closes.
func Suite(t *testing.T, open func(t *testing.T) device.Device) {
	tests := []struct {
		name string
		run  func(*testing.T, device.Device)
	}{
		{"SizeIsWholeUnits", sizeIsWhole},
		{"ReadsBackWhatWasWritten", readsBack},
		{"EmptyTransfersDoNothing", emptyTransfers},
		{"RefusesWhatIsBeyondTheEnd", refusesBeyondTheEnd},
		{"RefusesWhatIsNotAligned", refusesMisaligned},
		{"DiscardLeavesTheRestAlone", discard},
		{"ConcurrentTransfers", concurrent},
		{"EqualsPlainBytes", equalsPlainBytes},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := open(t)
			test.run(t, d)
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func pattern(seed, n int64) []byte {
	p := device.Buffer(int(n))
	random := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

func expect(t *testing.T, d device.Device, off int64, want []byte) {
	t.Helper()
	got := device.Buffer(len(want))
	if err := d.ReadAt(got, off); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("other bytes at %d+%d", off, len(want))
	}
}

func sizeIsWhole(t *testing.T, d device.Device) {
	if d.Size() < least || d.Size()%device.Unit != 0 {
		t.Errorf("a size of %d bytes", d.Size())
	}
}

func readsBack(t *testing.T, d device.Device) {
	for i, off := range []int64{0, device.Unit, 64 << 10, d.Size() - 2*device.Unit} {
		want := pattern(off, 2*device.Unit)
		write := d.WriteAt
		if i%2 == 1 {
			write = d.WriteDurable
		}
		if err := errors.Join(write(want, off), d.Sync()); err != nil {
			t.Fatal(err)
		}
		expect(t, d, off, want)
	}
}

func emptyTransfers(t *testing.T, d device.Device) {
	err := errors.Join(d.ReadAt(nil, 0), d.WriteAt(nil, d.Size()), d.WriteDurable(nil, 0), d.ReadAt([]byte{}, d.Size()))
	if err != nil {
		t.Error(err)
	}
}

func refusesBeyondTheEnd(t *testing.T, d device.Device) {
	last := pattern(1, device.Unit)
	if err := d.WriteAt(last, d.Size()-device.Unit); err != nil {
		t.Fatal(err)
	}
	two := pattern(2, 2*device.Unit)
	for _, off := range []int64{d.Size() - device.Unit, d.Size(), -device.Unit, 1<<62 - 1<<62%device.Unit} {
		for name, err := range map[string]error{
			"read": d.ReadAt(device.Buffer(2*device.Unit), off), "write": d.WriteAt(two, off), "durable write": d.WriteDurable(two, off),
			"discard": d.Discard(off, 2*device.Unit),
		} {
			if err == nil || errors.Is(err, device.ErrUnsupported) {
				t.Errorf("%s at %d of %d: %v", name, off, d.Size(), err)
			}
		}
	}
	expect(t, d, d.Size()-device.Unit, last)
}

func refusesMisaligned(t *testing.T, d device.Device) {
	p := device.Buffer(2 * device.Unit)
	for name, err := range map[string]error{
		"offset": d.ReadAt(p, 512), "length": d.WriteAt(p[:512], 0), "memory": d.WriteAt(p[512:][:device.Unit], 0),
		"memory of a read": d.ReadAt(p[512:][:device.Unit], 0), "range": d.Discard(0, 512),
	} {
		if err == nil {
			t.Errorf("took a misaligned %s", name)
		}
	}
}

func discard(t *testing.T, d device.Device) {
	want := pattern(3, 8*device.Unit)
	if err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(2*device.Unit, 4*device.Unit); err != nil && !errors.Is(err, device.ErrUnsupported) {
		t.Fatal(err)
	}
	expect(t, d, 0, want[:2*device.Unit])
	expect(t, d, 6*device.Unit, want[6*device.Unit:])
}

func concurrent(t *testing.T, d device.Device) {
	const workers, piece = 8, least / 8
	var group sync.WaitGroup
	for w := range int64(workers) {
		group.Go(func() {
			for i := range int64(8) {
				want, got := pattern(w*8+i, piece), device.Buffer(piece)
				if err := errors.Join(d.WriteAt(want, w*piece), d.Sync(), d.ReadAt(got, w*piece)); err != nil {
					t.Error(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("worker %d reads other bytes in round %d", w, i)
				}
			}
		})
	}
	group.Wait()
}

// equalsPlainBytes runs random calls on the device and on a slice, which must stay equal. Sequences run on one device, one after another.
func equalsPlainBytes(t *testing.T, d device.Device) {
	model := device.Buffer(least)
	if err := d.WriteAt(model, 0); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		draw := func() (off, n int64) {
			off = rapid.Int64Range(0, least/device.Unit-1).Draw(r, "unit") * device.Unit
			return off, min(rapid.Int64Range(1, 8).Draw(r, "units")*device.Unit, least-off)
		}
		must := func(err error) {
			if err != nil {
				r.Fatal(err)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				off, n := draw()
				p := pattern(rapid.Int64Range(0, 1<<30).Draw(r, "seed"), n)
				if rapid.Bool().Draw(r, "durable") {
					must(d.WriteDurable(p, off))
				} else {
					must(d.WriteAt(p, off))
				}
				copy(model[off:], p)
			},
			"discard": func(*rapid.T) {
				off, n := draw()
				if err := d.Discard(off, n); errors.Is(err, device.ErrUnsupported) {
					return
				} else if err != nil {
					r.Fatal(err)
				}
				must(d.ReadAt(model[off:off+n], off)) // whatever it is now, it stays
			},
			"sync": func(*rapid.T) { must(d.Sync()) },
			"": func(r *rapid.T) {
				off, n := draw()
				got := device.Buffer(int(n))
				must(d.ReadAt(got, off))
				if !bytes.Equal(got, model[off:off+n]) {
					r.Fatalf("other bytes at %d+%d", off, n)
				}
			},
		})
	})
}
