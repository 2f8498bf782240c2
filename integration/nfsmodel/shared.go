package nfsmodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

// version is what one WRITE writes. Its times are those of the file's clock, math.MaxUint64 until they come.
type version struct {
	number   uint32
	from     int // the first unit
	sent     uint64
	seen     []uint64 // for each unit: when all of it was read, as it is written bit by bit
	ended    uint64   // it was answered
	resent   bool     // over another connection: it may have been executed twice, the second time after it was seen
	unstable bool     // and not committed yet
	verifier nfs.Verifier
	lost     bool // the server has got a new verifier since: it may have vanished, and what was before it have come back
}

// first is when it had been executed on a unit for sure, last when it had been for the last time.
func (v *version) first(unit int) uint64 {
	if len(v.seen) == 0 {
		return v.ended
	}
	return min(v.seen[unit-v.from], v.ended)
}

func (v *version) last(unit int) uint64 {
	if v.resent {
		return v.ended
	}
	return v.first(unit)
}

// sharedFile is what is known of a shared file.
type sharedFile struct {
	node   *node
	tag    uint64
	seed   uint64
	mu     sync.Mutex
	clock  uint64                // one more with each thing that happens
	units  [2 * units][]*version // what each has been, from the oldest version that may still be seen
	last   uint32                // version
	reads  map[uint64]int        // when those under way were sent, and how many
	sure   uint64                // the size that it has at least
	most   uint64                // and at most
	losses int                   // how often a new verifier has said that something may be lost
}

func newSharedFile(n *node, tag int, seed uint64) *sharedFile {
	f := &sharedFile{node: n, tag: uint64(tag), seed: seed, reads: make(map[uint64]int)}
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
		if v.first(unit) < oldest && !v.unstable && !v.lost {
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

// hidden returns the version that hides v from reads of a unit sent at a time: one that was sent after v had been executed, and executed
// before them. f.mu is held.
func (f *sharedFile) hidden(unit int, v *version, sent uint64) *version {
	for _, by := range f.units[unit] {
		if by.sent > v.last(unit) && by.first(unit) < sent && !by.lost {
			return by
		}
	}
	return nil
}

// check checks what a read of whole units, sent at a time, returned. whole: nobody writes meanwhile, so that each unit is of one version.
func (f *sharedFile) check(sent uint64, first int, p []byte, whole bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock++
	for u := first; len(p) > 0; u++ {
		mixed := false
		for i := 0; i < unitSize; i += wordSize {
			mixed = mixed || !bytes.Equal(p[i:i+wordSize], p[:wordSize])
			if err := f.checkWord(sent, u, binary.BigEndian.Uint64(p[i:])); err != nil {
				return fmt.Errorf("byte %d: %w", u*unitSize+i, err)
			}
		}
		if mixed && whole {
			return fmt.Errorf("unit %d is of several versions: %x", u, p[:unitSize])
		}
		if v, _ := f.versionOf(u, binary.BigEndian.Uint64(p)); !mixed && len(v.seen) > 0 {
			v.seen[u-v.from] = min(v.seen[u-v.from], f.clock)
		}
		p = p[unitSize:]
	}
	return nil
}

// checkWord checks one word of a unit. f.mu is held.
func (f *sharedFile) checkWord(sent uint64, unit int, word uint64) error {
	v, err := f.versionOf(unit, word)
	if err != nil {
		return err
	}
	if by := f.hidden(unit, v, sent); by != nil {
		return fmt.Errorf("unit %d is of version %d (%d to %d), want version %d (%d to %d) or later", unit, v.number, v.sent, v.last(unit),
			by.number, by.sent, by.first(unit))
	}
	return nil
}

// versionOf finds the version that a word of a unit is of. f.mu is held.
func (f *sharedFile) versionOf(unit int, word uint64) (*version, error) {
	for _, v := range f.units[unit] {
		if word == f.word(v, unit) || v.number == 0 && word == 0 {
			return v, nil
		}
	}
	return nil, fmt.Errorf("unit %d says %#x: version %d of unit %d of file %d, which nobody may see", unit, word, word>>32, word&0xffff, word>>16&0xffff)
}

// committed says that a COMMIT that was sent at a time was answered with a verifier.
func (f *sharedFile) committed(sent uint64, v nfs.Verifier) {
	lost := false
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, all := range f.units {
		for _, w := range all {
			if !w.unstable || w.ended > sent {
				continue
			}
			w.unstable = false
			if w.verifier != v {
				w.lost, lost = true, true
			}
		}
	}
	if lost {
		f.losses++
	}
}

// lost is how often something may have been lost.
func (f *sharedFile) lost() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.losses
}
