package flash

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"forebay/cachecore/device"
)

// The index has at most 64 bytes for each line that the device can hold: 2 GiB per TiB. All of them fit.
func TestTheIndexFitsItsBytesPerTiB(t *testing.T) {
	const size = 8 << 30
	l, slots, err := newLayout(size, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &Store{layout: l}
	s.indexFor(slots)
	s.addRegions(slots)
	k := Key{1}
	object, lines := s.objects.attach(k, 1), uint32(0)
	for slot := range slots {
		for at := uint32(0); at+lineBlocks <= l.dataBlocks(); at += lineBlocks {
			sh := s.shardOf(s.hash(k), extentOf(lines))
			id, ok := sh.append(object, lines, l.block(slot, at), 0xff)
			if !ok {
				t.Fatalf("no room for line %d, of region %d of %d", lines, slot, slots)
			}
			sh.publish(sh.piece(id), id, 0xff)
			lines++
		}
	}
	bytes := s.indexBytes()
	perTiB := float64(bytes) / size * (1 << 40) / (1 << 30)
	t.Logf("%d lines, %d bytes: %.2f GiB per TiB", lines, bytes, perTiB)
	if perTiB > 2 {
		t.Fatalf("%.2f GiB per TiB", perTiB)
	}
}

// synthetic makes a sparse file of that size whose regions have footers, full of lines, and no data. It ends as a crash does.
func synthetic(t testing.TB, size int64) (*device.File, int) {
	path := filepath.Join(t.TempDir(), "flash")
	dev, err := device.Open(device.Options{Path: path, Size: size, Sparse: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	id, err := Format(dev, FormatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l, slots, _ := newLayout(size, 0)
	p, line := device.Buffer(int(offset(l.footerBlocks))), uint32(0)
	sum := checksum(zeroes)
	for slot := range slots {
		f := footer{id: id, slot: slot, seq: seq(slot) + 1, objects: []footerObject{{key: Key{1}, epoch: 1}}}
		for at := uint32(0); at+lineBlocks <= l.dataBlocks(); at += lineBlocks {
			e := footerPiece{line: line, at: uint16(at), written: 0xff, valid: 0xff}
			for i := range e.sums {
				e.sums[i] = sum
			}
			f.pieces = append(f.pieces, e)
			line++
		}
		n := (f.encode(p) + blockSize - 1) &^ (blockSize - 1)
		if err := dev.WriteAt(p[:n], offset(l.block(slot, l.footerAt()))); err != nil {
			t.Fatal(err)
		}
	}
	return dev, int(line)
}

func cpuTime(t testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A restart reads footers only and is warm: 100 GiB take at most 3 s to the first hit. The short form is a fifth of it.
func TestARestartWith100GiBIsWarmWithin3s(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("too slow")
	}
	part := longer(5, 1)
	dev, lines := synthetic(t, 100<<30/int64(part))
	start, used := time.Now(), cpuTime(t)
	s, err := Open(dev, Options{Condemn: new(rig).condemn})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Attach(bg, Key{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, lineBytes)
	found, err := o.Read(bg, blockOf(lines/2), lineBlocks, p)
	took, used := time.Since(start), cpuTime(t)-used
	if err != nil || !found.All(lineBlocks) {
		t.Fatalf("no hit: %v", err)
	}
	st := s.Stats()
	t.Logf("%d lines warm in %v, %v of processors; index %d MiB", lines, took, used, st.IndexBytes>>20)
	if st.UsedBytes != int64(lines)*lineBytes {
		t.Fatalf("%d of %d bytes loaded", st.UsedBytes, int64(lines)*lineBytes)
	}
	if took = min(took, used); took > 3*time.Second/time.Duration(part) { // others may want the processors too
		t.Fatalf("%v to the first hit", took)
	}
	_ = s.memory.Close()
}
