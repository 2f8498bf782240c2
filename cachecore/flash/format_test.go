package flash

import (
	"bytes"
	"errors"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// Where the device keeps what was on it, a new tier is as empty as elsewhere: what the old one has left carries another incarnation.
func TestG3_ANewTierHasNothingOfTheOldOne(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	for line := range 5 { // the ledger's half has pages, so has the other
		r.cache(k, blockOf(line*extentLines), lineBlocks)
		r.spill()
		r.write(k, blockOf(line*extentLines), 1)
	}
	for range 3 {
		r.close()
		r.cannotDiscard()
		id, err := Format(r.twin, FormatOptions{RegionBytes: minRegion * blockSize})
		if err != nil || id == r.id {
			t.Fatalf("%x after %x: %v", id, r.id, err)
		}
		old := r.id
		if _, err := Open(r.twin, Options{ID: old, Condemn: r.condemn}); !errors.Is(err, ErrOther) {
			t.Fatalf("the old one is opened: %v", err)
		}
		r.id = id
		r.open()
		if st := r.s.Stats(); st.UsedBytes != 0 || st.Objects != 0 || st.Marks != 0 || st.Free != 8 {
			t.Errorf("a new tier: %+v", st)
		}
		for line := range 5 {
			r.set(k, blockOf(line*extentLines), lineBlocks)
			if n := r.check(k, blockOf(line*extentLines), lineBlocks); n != 0 {
				t.Errorf("%d blocks of the old tier are served", n)
			}
			r.cache(k, blockOf(line*extentLines), 2)
			r.spill()
		}
	}
	r.close()
}

// Either copy of the superblock will do, also beside one that says something else and has not been written like that.
func TestASuperblockThatIsDamagedLeavesTheOther(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.close()
	whole := r.twin.Image()
	for block := range int64(superblocks) {
		for _, at := range []int64{0, 8, 23, 24, 28, 32, 36, 44} {
			image := append([]byte(nil), whole...)
			image[block*blockSize+at] ^= 1
			r.twin = devicetest.FromImage(image)
			r.open()
			if n := r.check(k, 0, lineBlocks); n != lineBlocks {
				t.Errorf("byte %d of superblock %d: %d blocks are left", at, block, n)
			}
			r.close()
		}
	}
}

// Where the device keeps what was on it, a power cut in the middle of Format leaves the old tier as it ended, or none, or an empty one; never the old one
// with half of its ledger.
func TestG3_APowerCutInFormatLeavesNoOlderTier(t *testing.T) {
	for lives := range 3 { // so that either half of the ledger counts
		r := newRig(t, 8, Options{})
		k := keyOf(1)
		r.cache(k, 0, lineBlocks)
		r.spill()
		for range lives {
			r.cut()
		}
		r.write(k, 0, lineBlocks)
		r.quiet()
		_ = r.s.memory.Close()
		old := r.twin.Image()
		r.twin = devicetest.FromImage(old)
		r.cannotDiscard()
		id, err := Format(r.twin, FormatOptions{RegionBytes: minRegion * blockSize})
		if err != nil {
			t.Fatal(err)
		}
		for event := range r.twin.Events() + 1 {
			r.twin.Crash(event).Each(60, nil, func(image []byte) bool {
				s, err := Open(devicetest.FromImage(image), Options{Condemn: r.condemn, ReadMemory: minReadMemory})
				switch {
				case errors.Is(err, ErrNotFormatted):
				case err != nil:
					t.Fatal(err)
				default:
					o, err := s.Attach(bg, k, 1, 1)
					if err != nil {
						t.Fatal(err)
					}
					if n := checkOn(t, o, r.array[k], 0, lineBlocks); n != 0 || s.ID() != id && s.ID() != r.id {
						t.Errorf("%d blocks of tier %x", n, s.ID())
					}
					_ = s.memory.Close()
				}
				return event > 0
			})
		}
		r.twin.Crash(r.twin.Events()).Each(60, nil, func(image []byte) bool {
			s, err := Open(devicetest.FromImage(image), Options{ID: id, Condemn: r.condemn, ReadMemory: minReadMemory})
			if err != nil {
				t.Fatalf("the new tier is not durable: %v", err)
			}
			_ = s.memory.Close()
			return true
		})
	}
}

// Format has the part of the device that it was given, and leaves the rest alone.
func TestFormatLeavesTheRestOfTheDeviceAlone(t *testing.T) {
	twin := devicetest.New(small(12))
	p := device.Buffer(int(small(12)))
	for i := range p {
		p[i] = byte(i)
	}
	if err := twin.WriteAt(p, 0); err != nil {
		t.Fatal(err)
	}
	const regions = 6
	if _, err := Format(twin, FormatOptions{Size: small(regions) + blockSize, RegionBytes: minRegion * blockSize}); err != nil {
		t.Fatal(err)
	}
	if image := twin.Image(); !bytes.Equal(image[small(regions):], p[small(regions):]) {
		t.Error("it has changed what is behind its end")
	}
}

// A footer that lies in another slot than it says, by a write that went astray, is no second one of its region.
func TestAFooterOfAnotherSlotDoesNotCount(t *testing.T) {
	r := newRig(t, 8, Options{})
	k := keyOf(1)
	r.cache(k, 0, lineBlocks)
	r.spill()
	_ = r.s.memory.Close()
	image, l := r.twin.Image(), r.s.layout
	span := offset(l.footerBlocks)
	from, to := offset(l.block(0, l.footerAt())), offset(l.block(5, l.footerAt()))
	copy(image[to:to+span], image[from:from+span])
	r.twin = devicetest.FromImage(image)
	r.open()
	if n := r.check(k, 0, lineBlocks); n != lineBlocks {
		t.Errorf("%d blocks are found", n)
	}
	r.once()
	if !isZero(r.twin.Image()[to : to+blockSize]) {
		t.Error("it is still there, for when it is read in another life")
	}
	r.close()
}
