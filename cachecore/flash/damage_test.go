package flash

import (
	"errors"
	"math/rand/v2"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// rotten is a device after a clean end, or an unclean one, with what its array holds: bits of it are turned over one after the other.
func rotten(t tb, clean bool) *rig {
	r := newRig(t, 6, Options{})
	a, b := keyOf(1), keyOf(2)
	for line := range 3 {
		r.cache(a, blockOf(line), 8)
		r.cache(b, blockOf(line), 7)
	}
	r.spill()
	r.write(a, 2, 7)
	r.cache(a, 2, 4)
	r.spill()
	r.write(b, 1, 1)
	if clean {
		r.close()
	} else {
		_ = r.s.memory.Close()
	}
	return r
}

func (r *rig) survives(image []byte) int {
	o := Options{ID: r.id, Condemn: r.condemn, ReadMemory: minReadMemory}
	s, err := Open(devicetest.FromImage(image), o)
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFormatted) || errors.Is(err, ErrOther) {
		return 0
	}
	if err != nil {
		r.Fatal(err)
	}
	defer func() { s.end(); _ = s.memory.Close() }()
	served := 0
	for k := range r.objects {
		ob, err := s.Attach(bg, k, 1, 1)
		if err != nil {
			r.Fatal(err)
		}
		served += checkOn(r, ob, r.array[k], 0, 32)
	}
	return served
}

// A bit that turns over anywhere costs what it is about, and nobody is served anything that it has changed.
func TestABitThatTurnsOverIsNeverServed(t *testing.T) {
	for name, clean := range map[string]bool{"after a clean end": true, "after an unclean end": false} {
		t.Run(name, func(t *testing.T) {
			r := rotten(t, clean)
			image := r.twin.Image()
			whole, least := r.survives(image), 1<<30
			step := slower(longer(800, 13))
			for at := 0; at < len(image); at += 1 + rand.IntN(step*2) {
				if isZero(image[at&^7 : at&^7+8]) {
					continue // where nothing was ever written
				}
				mask := byte(1) << rand.IntN(8)
				image[at] ^= mask
				served := r.survives(image)
				if served > whole {
					t.Fatalf("a bit of byte %d brings %d blocks back", at, served-whole)
				}
				least = min(least, served)
				image[at] ^= mask
			}
			if least == whole {
				t.Fatalf("%d of %d blocks in the worst case: the bits that matter were not met", least, whole)
			}
		})
	}
}

// Bytes of the superblocks and the ledger are turned over, one after the other.
func TestEveryByteOfTheLedgerIsProtected(t *testing.T) {
	r := rotten(t, false)
	image := r.twin.Image()
	whole := r.survives(image)
	head := int(offset(r.s.layout.first))
	for at := 0; at < head; at++ {
		if isZero(image[at&^63:at&^63+64]) || rand.IntN(slower(longer(16, 1))) != 0 {
			continue
		}
		image[at] ^= 0xff
		if served := r.survives(image); served > whole {
			t.Fatalf("byte %d brings %d blocks back", at, served-whole)
		}
		image[at] ^= 0xff
	}
}

// Both copies of a page in the middle of the ledger are gone: nothing may be trusted.
func TestALedgerThatIsDamagedInTheMiddleIsNotBelieved(t *testing.T) {
	r := rigFor(t, 6, Options{})
	for line := range 3 {
		r.cache(keyOf(1), blockOf(line*extentLines), 8)
		r.spill()
		r.write(keyOf(1), blockOf(line*extentLines), 1)
	}
	if r.s.ledger.book.index < 3 {
		t.Fatal("too few pages")
	}
	at := r.s.ledger.book.at(1)
	r.twin.Flip(at+100, 1)
	if _, err := Open(devicetest.FromImage(r.twin.Image()), r.options); err == nil {
		t.Fatal("opened without somewhere to condemn it")
	}
	s := r.openOn(devicetest.FromImage(r.twin.Image())) // the other copy
	_ = s.memory.Close()
	r.twin.Flip(at+100+blockSize, 1)
	o := r.options
	o.Condemn = r.condemn
	if _, err := Open(devicetest.FromImage(r.twin.Image()), o); !errors.Is(err, ErrDamaged) {
		t.Fatalf("opened, or for another reason not: %v", err)
	}
}

// A write that lands elsewhere among the regions, or nowhere, is a loss, not a lie.
func TestAWriteThatGoesAstrayIsNeverServed(t *testing.T) {
	for n := 1; n < 30; n += slower(longer(3, 1)) {
		for _, fault := range []devicetest.Fault{{Lost: true}, {Move: blockSize}, {Move: minRegion * blockSize}, {Move: -minRegion * blockSize}} {
			r := newRig(t, 8, Options{})
			region := offset(r.s.layout.first)
			last := small(7)
			count := 0
			r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
				if c.Kind != devicetest.Write && c.Kind != devicetest.WriteDurable || c.Off < region {
					return devicetest.Fault{}
				}
				if count++; count == n && c.Off+fault.Move >= region && c.Off+c.Len+fault.Move <= last {
					return fault
				}
				return devicetest.Fault{}
			})
			for line := range 12 {
				r.cache(keyOf(1), blockOf(line), 8)
				r.check(keyOf(1), 0, 96)
				if line%3 == 2 {
					r.write(keyOf(1), blockOf(line-1)+1, 3)
				}
			}
			r.cut()
			r.check(keyOf(1), 0, 96)
			r.close()
			r.open()
			r.check(keyOf(1), 0, 96)
			_ = r.s.Close(bg)
		}
	}
}

// An error of any call, whichever: the store goes on as if it weren't there, and what is opened afterwards is right.
func TestAnErrorOfTheDeviceEndsTheTierAndNothingElse(t *testing.T) {
	broken := errors.New("it is broken")
	for kind := devicetest.Read; kind <= devicetest.Discard; kind++ {
		failed := false
		for n := 1; n < 12; n++ {
			r := newRig(t, 6, Options{})
			r.twin = devicetest.FromImage(r.twin.Image())
			r.s = r.openOn(r.twin)
			base, once := 0, true
			r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
				r.mu.Lock()
				defer r.mu.Unlock()
				if c.Kind != kind || !once {
					return devicetest.Fault{}
				}
				if base++; base < n {
					return devicetest.Fault{}
				}
				once = false
				return devicetest.Fault{Err: broken, Done: n%2 == 0}
			})
			k := keyOf(1)
			for line := range 10 {
				r.cache(k, blockOf(line), 8)
				r.check(k, 0, 64)
				r.write(k, blockOf(line)+1, 3)
			}
			r.quiet()
			if r.s.Err() != nil {
				failed = true
				if n := r.check(k, 0, 64); n != 0 {
					t.Fatalf("%v: %d blocks served by a failed device", kind, n)
				}
				if r.condemned == 0 {
					// Nothing was written since it failed, so it may be opened again.
					r.twin = devicetest.FromImage(r.twin.Image())
					r.open()
					r.check(k, 0, 64)
				}
			}
			_ = r.s.Close(bg)
		}
		if !failed {
			t.Fatalf("no %v has failed", kind)
		}
	}
}

func TestAnotherDeviceThanExpectedIsNotOpened(t *testing.T) {
	r := rigFor(t, 6, Options{})
	twin := devicetest.New(small(6))
	if _, err := Open(twin, Options{Condemn: r.condemn}); !errors.Is(err, ErrNotFormatted) {
		t.Fatalf("an empty device: %v", err)
	}
	if _, err := Format(twin, FormatOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(twin, Options{ID: r.id, Condemn: r.condemn}); !errors.Is(err, ErrOther) {
		t.Fatalf("another device: %v", err)
	}
	if _, err := Format(devicetest.New(small(3)), FormatOptions{RegionBytes: minRegion * blockSize}); !errors.Is(err, ErrTooSmall) {
		t.Fatalf("three regions: %v", err)
	}
	truncated := devicetest.FromImage(r.twin.Image()[:small(5)])
	if _, err := Open(truncated, Options{Condemn: r.condemn}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a device that has become shorter: %v", err)
	}
}

// A device that holds more pieces than the index has room for, by another program's doing: the newest are served, and the others never again.
func TestG3_WhatTheIndexHasNoRoomForIsGone(t *testing.T) {
	r := newRig(t, 12, Options{})
	r.close()
	k, line, p := keyOf(1), uint32(0), device.Buffer(2*blockSize)
	l := r.s.layout
	for slot := range uint32(12) {
		f := footer{id: r.id, slot: slot, seq: seq(slot) + 1, objects: []footerObject{{k, 1}}}
		for at := range uint16(l.dataBlocks()) {
			block := device.Buffer(blockSize)
			content(block, k, blockOf(int(line)), 0)
			if err := r.twin.WriteAt(block, offset(l.block(slot, uint32(at)))); err != nil {
				t.Fatal(err)
			}
			f.pieces = append(f.pieces, footerPiece{line: line, at: at, written: 1, valid: 1, sums: [lineBlocks]uint32{checksum(block)}})
			line += extentLines
		}
		f.encode(p)
		if err := r.twin.WriteDurable(p, offset(l.block(slot, l.footerAt()))); err != nil {
			t.Fatal(err)
		}
	}
	r.twin = withoutCleanEnd(t, r, devicetest.FromImage(r.twin.Image()))
	r.open()
	served := 0
	for at := uint32(0); at < line; at += extentLines {
		n := r.check(k, blockOf(int(at)), 1)
		served += n
		if n == 0 && at > line-13*extentLines {
			t.Fatal("the newest are not served")
		}
		if n == 0 {
			r.set(k, blockOf(int(at)), 1) // which nobody needs to be told of
		}
	}
	if r.s.ledger.standing.floor <= 1 { // else they may be back when the index has grown
		t.Fatal("the floor is not over what the index has no room for")
	}
	if all := int(line / extentLines); served == 0 || served == all {
		t.Fatalf("%d of %d blocks served", served, all)
	}
	r.cut()
	for at := uint32(0); at < line; at += extentLines {
		r.check(k, blockOf(int(at)), 1)
	}
	r.close()
}

// withoutCleanEnd makes the ledger of a closed device say that it runs.
func withoutCleanEnd(t *testing.T, r *rig, twin *devicetest.Twin) *devicetest.Twin {
	b, a, err := readBook(twin, superblock{r.id, r.s.layout})
	if err == nil {
		a.clean = false
		err = b.restate(a.standing, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return devicetest.FromImage(twin.Image())
}
