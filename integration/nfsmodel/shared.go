package nfsmodel

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"forebay/protocols/nfs"
)

// A shared file is made of units of unitSize bytes, which several clients write at the same time. All words of a unit say which version of
// which unit they are of.
const (
	unitSize = 512
	wordSize = 8
	units    = 512 // of the file in the beginning; writes go as far again beyond
	unitsMax = 64  // of a write, and of a read
	kept     = 48  // versions of a unit, before those are dropped that nobody may see any more
)

// sharedFile is what is known of a shared file.
type sharedFile struct {
	node  *node
	tag   uint64
	mu    sync.Mutex
	clock uint64                // one more with each thing that happens
	units [2 * units][]*version // what each has been, from the oldest version that may still be seen
	last  uint32                // version
	reads map[uint64]int        // when those under way were sent, and how many
	sure  uint64                // the size that it has at least
	most  uint64                // and at most

	verifier nfs.Verifier // as COMMIT told it last; at first, as WRITE did
	losses   int          // how often something may have been lost
}

func newSharedFile(n *node, tag int) *sharedFile {
	f := &sharedFile{node: n, tag: uint64(tag), reads: make(map[uint64]int)}
	for u := range f.units {
		f.units[u] = []*version{{}}
	}
	return f
}

// startWrite says that units are about to be written, and returns the version and its bytes.
func (f *sharedFile) startWrite(first, count int) (*version, []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	f.last++
	v := &version{number: f.last, from: first, sent: f.clock, seen: make([]uint64, count), ended: math.MaxUint64, resent: true}
	f.most = max(f.most, uint64(first+count)*unitSize)
	p := make([]byte, 0, count*unitSize)
	for u := first; u < first+count; u++ {
		v.seen[u-first] = math.MaxUint64
		f.units[u] = append(f.prune(u), v)
		for range unitSize / wordSize {
			p = binary.BigEndian.AppendUint64(p, f.word(v, u))
		}
	}
	return v, p
}

func (f *sharedFile) word(v *version, unit int) uint64 {
	return uint64(v.number)<<32 | f.tag<<16 | uint64(unit)
}

// endWrite says that a write was answered, and whether it was sent more than once.
func (f *sharedFile) endWrite(v *version, first, count int, r *nfs.WriteResult, resent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	v.ended, v.resent = f.clock, resent
	v.unstable, v.verifier = r.Committed == nfs.Unstable, r.Verifier
	if f.verifier == (nfs.Verifier{}) {
		f.verifier = r.Verifier
	}
	f.sure = max(f.sure, uint64(first+count)*unitSize)
}

// prune drops the versions that no read under way may see, unless what hides them may be lost. f.mu is held.
func (f *sharedFile) prune(unit int) []*version {
	all := f.units[unit]
	if len(all) < kept {
		return all
	}
	oldest := f.clock
	for sent := range f.reads {
		oldest = min(oldest, sent)
	}
	var newest uint64
	for _, v := range all {
		if v.first(unit) < oldest && v.ended != math.MaxUint64 && !v.unstable && !v.lost {
			newest = max(newest, v.sent)
		}
	}
	return slices.DeleteFunc(all, func(v *version) bool { return v.last(unit) < newest })
}

// startRead says that a read is about to be sent; it returns the time, and the size that the file has at least.
func (f *sharedFile) startRead() (now, size uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	f.reads[f.clock]++
	return f.clock, f.sure
}

// endRead says that a read that was sent at a time is over.
func (f *sharedFile) endRead(sent uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.reads, sent)
}
