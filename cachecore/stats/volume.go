package stats

import (
	"sync/atomic"
	"time"
)

// Operation is the direction of a transfer.
type Operation int

// The operations.
const (
	Read Operation = iota
	Write
)

// Traffic counts transfers since the start.
type Traffic struct {
	Operations uint64
	Bytes      uint64 // of those that succeeded
	Errors     uint64
}

// traffic is a Traffic being counted.
type traffic struct{ operations, bytes, errors atomic.Uint64 }

func (t *traffic) add(bytes int, failed bool) {
	t.operations.Add(1)
	if failed {
		t.errors.Add(1)
		return
	}
	t.bytes.Add(uint64(bytes))
}

func (t *traffic) addTo(sum *Traffic) {
	sum.Operations += t.operations.Load()
	sum.Bytes += t.bytes.Load()
	sum.Errors += t.errors.Load()
}

// Volume counts for one volume. Its zero value is ready; it must not be copied.
type Volume struct {
	vm, local, datastore Histogram

	copies [spread]struct {
		vm, array   [2]traffic // by Operation
		hit, missed atomic.Uint64
		_           [64]byte // the next copy starts on another cache line
	}
}

// Observe counts a command as the VM saw it: the frontend's, from its arrival to its answer. bytes is what it asked for.
func (v *Volume) Observe(op Operation, bytes int, took time.Duration, failed bool) {
	v.copies[pick()].vm[op].add(bytes, failed)
	v.vm.Record(took)
}

// Hit counts blocks that a read found in the cache.
func (v *Volume) Hit(blocks int) { v.copies[pick()].hit.Add(uint64(blocks)) }

// Missed counts blocks that a read did not find.
func (v *Volume) Missed(blocks int) { v.copies[pick()].missed.Add(uint64(blocks)) }

// Sampled says whether to time this hit: two looks at the clock cost more than the hit, so one in 16 stands for all.
func (v *Volume) Sampled() bool { return sampled() }

// Local records how long the cache took to answer.
func (v *Volume) Local(took time.Duration) { v.local.Record(took) }

// Datastore counts one operation of the array.
func (v *Volume) Datastore(op Operation, bytes int, took time.Duration, failed bool) {
	v.copies[pick()].array[op].add(bytes, failed)
	v.datastore.Record(took)
}

// Snapshot is all that a Volume counted until some time.
type Snapshot struct {
	Reads, Writes           Traffic // as the VM saw them
	ArrayReads, ArrayWrites Traffic // what the array was asked

	HitBlocks, MissedBlocks uint64 // of reads, 4 KiB each

	VM, Local, Datastore Distribution // Local holds a sample
}

// HitRate is the share of read blocks that the cache had, 0 to 1.
func (s *Snapshot) HitRate() float64 {
	if s.HitBlocks == 0 {
		return 0
	}
	return float64(s.HitBlocks) / float64(s.HitBlocks+s.MissedBlocks)
}

// Snapshot copies the counters. It is some 15 KiB: not for the data path.
func (v *Volume) Snapshot() *Snapshot {
	s := &Snapshot{VM: v.vm.Snapshot(), Local: v.local.Snapshot(), Datastore: v.datastore.Snapshot()}
	for i := range v.copies {
		c := &v.copies[i]
		c.vm[Read].addTo(&s.Reads)
		c.vm[Write].addTo(&s.Writes)
		c.array[Read].addTo(&s.ArrayReads)
		c.array[Write].addTo(&s.ArrayWrites)
		s.HitBlocks += c.hit.Load()
		s.MissedBlocks += c.missed.Load()
	}
	return s
}
