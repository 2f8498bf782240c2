package gateway

import (
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
	"forebay/protocols/scsi"
)

func TestReadsAndWritesAreCountedByWhatTheyAre(t *testing.T) {
	const in, out, took = 4096, 512, 3 * time.Millisecond
	reads, writes := stats.Traffic{Operations: 1, Bytes: in}, stats.Traffic{Operations: 1, Bytes: out}
	for opcode, want := range map[byte][2]stats.Traffic{
		0x08: {stats.Read: reads}, 0x28: {stats.Read: reads}, 0xa8: {stats.Read: reads}, 0x88: {stats.Read: reads},
		0x0a: {stats.Write: writes}, 0x2a: {stats.Write: writes}, 0xaa: {stats.Write: writes}, 0x8a: {stats.Write: writes},
		0x2e: {stats.Write: writes}, 0xae: {stats.Write: writes}, 0x8e: {stats.Write: writes},
		0x00: {}, 0x12: {}, 0x35: {}, 0x42: {}, 0x93: {}, 0xa0: {}, 0x9e: {},
	} {
		d := &device{stats: new(stats.Volume)}
		observer{}.Observe(d, &scsi.Command{CDB: [16]byte{opcode}}, in, out, took, true)
		s := d.stats.Snapshot()
		if got := [2]stats.Traffic{s.Reads, s.Writes}; got != want {
			t.Errorf("opcode %02xh: %+v", opcode, got)
		}
		if n := want[0].Operations + want[1].Operations; s.VM.Count != n || s.VM.Sum < took*time.Duration(n) {
			t.Errorf("opcode %02xh: %d latencies", opcode, s.VM.Count)
		}
	}
}

func TestACommandThatFailsIsAnErrorAndMovesNothing(t *testing.T) {
	d := &device{stats: new(stats.Volume)}
	observer{}.Observe(d, &scsi.Command{CDB: [16]byte{0x88}, Status: scsi.StatusCheckCondition}, 0, 0, time.Millisecond, false)
	observer{}.Observe(d, &scsi.Command{CDB: [16]byte{0x8a}, Status: scsi.StatusTaskSetFull}, 0, 4096, time.Millisecond, false)
	want := stats.Traffic{Operations: 1, Errors: 1}
	if s := d.stats.Snapshot(); s.Reads != want || s.Writes != want {
		t.Errorf("%+v, %+v", s.Reads, s.Writes)
	}
}

func TestAnArrayAsADisk(t *testing.T) {
	for name, c := range map[string]struct {
		info cachecore.ArrayInfo
		want scsi.Geometry
	}{
		"thin": {
			cachecore.ArrayInfo{Size: mib, LogicalBlock: 512, PhysicalBlock: 4096, Thin: true, UnmapZeroes: true, UnmapGrain: 64 * kib, WriteCache: true},
			scsi.Geometry{BlockSize: 512, PhysicalBlock: 4096, Blocks: 2048, Thin: true, ZeroesOnUnmap: true, UnmapGrain: 128, WriteCache: true},
		},
		"thick": {
			cachecore.ArrayInfo{Size: mib, LogicalBlock: 4096, PhysicalBlock: 4096},
			scsi.Geometry{BlockSize: 4096, PhysicalBlock: 4096, Blocks: 256},
		},
		"larger blocks than the array's": {
			cachecore.ArrayInfo{Size: mib + 512, LogicalBlock: 512, PhysicalBlock: 512},
			scsi.Geometry{BlockSize: 4096, PhysicalBlock: 4096, Blocks: 256},
		},
		"a grain below the block": {
			cachecore.ArrayInfo{Size: mib, LogicalBlock: 4096, PhysicalBlock: 4096, Thin: true, UnmapGrain: 512},
			scsi.Geometry{BlockSize: 4096, PhysicalBlock: 4096, Blocks: 256, Thin: true},
		},
	} {
		if got := geometryOf(c.info, c.want.BlockSize); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
