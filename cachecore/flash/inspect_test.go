package flash

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// Inspect tells what Open would find, after any end, and changes nothing.
func TestInspectTellsWhatIsThere(t *testing.T) {
	r := rigFor(t, 12, Options{})
	k := keyOf(1)
	r.cache(k, 0, 26)
	r.spill()
	r.write(k, 3, 1)
	tell := func() (string, error) {
		t.Helper()
		before := r.twin.Image()
		var out strings.Builder
		err := Inspect(r.twin, &out)
		if !bytes.Equal(before, r.twin.Image()) {
			t.Error("it has changed something")
		}
		return out.String(), err
	}
	says := func(words ...string) {
		t.Helper()
		out, err := tell()
		for _, word := range words {
			if err != nil || !strings.Contains(out, word) {
				t.Errorf("it does not say %q: %v\n%s", word, err, out)
			}
		}
	}
	says("marks count", "1 marks", "0 blocks that count, 26 that don't") // all are of one extent
	r.close()
	says("ended in order", "25 blocks that count, 1 that don't, 0 that are not")
	slot := r.s.fill.stored[0]
	r.twin.Flip(offset(r.s.layout.block(slot, 0)), 1)
	if out, err := tell(); err == nil || !strings.Contains(out, "1 that are not what was written") {
		t.Errorf("rot goes unnoticed: %v\n%s", err, out)
	}
	r.twin.Flip(offset(r.s.layout.block(slot, 0)), 1)
	r.open()
}

// Footers and regions that nobody believes are named, and it goes on: a kill leaves such.
func TestInspectNamesWhatCannotBeBelieved(t *testing.T) {
	r := rigFor(t, 12, Options{})
	k := keyOf(1)
	for line := range 4 {
		r.cache(k, blockOf(line), lineBlocks)
		r.spill()
	}
	r.close()
	slots, at := r.s.fill.stored, func(slot uint32) int64 { return offset(r.s.layout.block(slot, r.s.layout.footerAt())) }
	r.twin.Flip(at(slots[0]), 1)                 // its head
	r.twin.Flip(at(slots[1])+footerHeadBytes, 1) // what it is the head of
	var out strings.Builder
	if err := Inspect(r.twin, &out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		fmt.Sprintf("slot %d: its footer can't be read", slots[0]),
		fmt.Sprintf("region 2 in slot %d: not a footer", slots[1]),
		fmt.Sprintf("region 3 in slot %d: 1 objects, 1 pieces, 8 blocks that count, 0 that don't, 0 that are not what was written", slots[2]),
		fmt.Sprintf("region 4 in slot %d: 1 objects, 1 pieces, 8 blocks that count, 0 that don't, 0 that are not what was written", slots[3]),
		"3 regions, 16 blocks that count, 0 that don't, 0 that are not what was written",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("it does not say %q:\n%s", line, out.String())
		}
	}
}

// A device that holds something else isn't Format's.
func TestADeviceIsVacantOnlyIfItHoldsNothingOfOthers(t *testing.T) {
	vacant := func(d device.Device) bool {
		t.Helper()
		ok, err := Vacant(d)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	put := func(d *devicetest.Twin, off int64, what string) *devicetest.Twin {
		p := device.Buffer(blockSize)
		copy(p, what)
		if err := d.WriteDurable(p, off); err != nil {
			t.Fatal(err)
		}
		return d
	}
	fresh := func() *devicetest.Twin { return devicetest.New(2 << 20) }
	if !vacant(fresh()) {
		t.Error("an empty one is not")
	}
	for _, off := range []int64{0, blockSize, 2 * blockSize, 16 * blockSize, 64 << 10, 1<<20 - blockSize} {
		if vacant(put(fresh(), off, "others")) {
			t.Errorf("one with something at %d is", off)
		}
	}
	r := rigFor(t, 12, Options{})
	r.cache(keyOf(1), 0, 13)
	r.spill()
	if !vacant(r.twin) {
		t.Error("a flash tier is not")
	}
	if err := r.s.Withdraw(bg); err != nil {
		t.Fatal(err)
	}
	if !vacant(r.twin) {
		t.Error("one that was withdrawn is not")
	}
	if vacant(put(r.twin, 0, "others")) {
		t.Error("one that others took after it is")
	}
}
