package scsi_test

import (
	"testing"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// pinned is a store whose reads hit and stay where they are.
type pinned struct {
	*scsitest.Mem
	content []byte
	out     int // pins that are not given back
}

func (p *pinned) ReadNow(d *scsi.Data, off int64, n int) bool {
	for ; n > 0; off, n = off+4096, n-4096 {
		p.out++
		d.Add(p.content[off:off+int64(min(n, 4096))], p, uint64(off))
	}
	return true
}

func (p *pinned) Release(uint64) { p.out-- }

func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{512, 4096} {
		g := disk(size)
		p := &pinned{content: pattern(8*mib, 1)}
		r := newRigOver(t, g, p, nil)
		for _, opcode := range readOpcodes {
			for _, bytes := range []int{4 * kib, 64 * kib, mib} {
				c := r.command(access(opcode, 0, 8, uint32(bytes/size)), nil)
				if opcode == 0x08 && bytes/size > 256 {
					continue
				}
				read := func() {
					if !r.Inline(c) || c.Status != scsi.StatusGood || c.Data.Len() != bytes {
						t.Fatalf("%02x: %s with %d bytes", opcode, verdict(c), c.Data.Len())
					}
					c.Data.Release()
				}
				read()
				if a := testing.AllocsPerRun(100, read); a != 0 {
					t.Errorf("%v allocations for %02x of %d bytes", a, opcode, bytes)
				}
			}
		}
		if p.out != 0 {
			t.Errorf("%d pins are not given back", p.out)
		}
	}
}

func BenchmarkReadHit(b *testing.B) {
	p := &pinned{content: make([]byte, 8*mib)}
	r := newRigOver(b, disk(512), p, nil)
	c := r.command(access(0x28, 0, 0, 8), nil)
	b.ReportAllocs()
	for b.Loop() {
		if !r.Inline(c) {
			b.Fatal("not inline")
		}
		c.Data.Release()
	}
}
