package nfsmodel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"forebay/protocols/nfs"
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
			if i > 0 && bytes.Equal(p[i:i+wordSize], p[i-wordSize:i]) {
				continue // as all are, mostly
			}
			mixed = i > 0
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
		return fmt.Errorf("unit %d, read at %d, is of version %s, which %s has hidden; it had %s", unit, sent, v.text(unit), by.text(unit),
			f.history(unit))
	}
	return nil
}

// text tells a version by its times.
func (v *version) text(unit int) string {
	if v.last(unit) == math.MaxUint64 {
		return fmt.Sprintf("%d (%d to now)", v.number, v.sent)
	}
	return fmt.Sprintf("%d (%d to %d)", v.number, v.sent, v.last(unit))
}

// history tells the last versions of a unit. f.mu is held.
func (f *sharedFile) history(unit int) string {
	all := f.units[unit]
	var words []string
	for _, v := range all[max(0, len(all)-stepsKept):] {
		words = append(words, v.text(unit))
	}
	return strings.Join(words, ", ")
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

// committed says that a COMMIT that was sent at a time was answered with a verifier. A new one says that what was unstable may be lost, and
// what isn't answered yet: it may have been executed, and seen, before.
func (f *sharedFile) committed(sent uint64, v nfs.Verifier) {
	f.mu.Lock()
	defer f.mu.Unlock()
	renewed := f.verifier != v
	f.verifier = v
	lost := renewed
	for _, all := range f.units {
		for _, w := range all {
			switch {
			case renewed && w.ended == math.MaxUint64:
				w.lost = true
			case w.unstable && w.ended <= sent && w.verifier != v:
				w.unstable, w.lost, lost = false, true, true
			case w.unstable && w.ended <= sent:
				w.unstable = false
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
