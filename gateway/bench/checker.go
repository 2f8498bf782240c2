package bench

import "sync"

// Checker knows which versions of each sector a read may return. Writers of a sector are serialised, at most one write of it is
// outstanding; so its versions are totally ordered, and a read must return
//
//   - no version below the last one acknowledged before the read was sent,
//   - no version below one that a read returned which had completed before this one was sent,
//   - no version above the last one that was sent before the read completed.
//
// A write whose outcome is unknown raises only the last bound: until a later write is acknowledged, or a read has shown it, either
// version is legal.
//
// A Checker does no I/O and may be used from many goroutines.
type Checker struct {
	mu struct {
		sync.Mutex
		floor []uint32 // the lowest legal version of a read that is sent now
		top   []uint32 // the highest version that was sent
		busy  []bool   // a write is outstanding
	}
}

// NewChecker knows n sectors of version 0.
func NewChecker(n int) *Checker {
	c := &Checker{}
	c.mu.floor, c.mu.top, c.mu.busy = make([]uint32, n), make([]uint32, n), make([]bool, n)
	return c
}

// BeginWrite reserves the sectors [first, first+len(versions)) and says which versions to write. It returns false, having done
// nothing, when a write of one of them is outstanding. Call it before the write is sent.
func (c *Checker) BeginWrite(first int, versions []uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range versions {
		if c.mu.busy[first+i] {
			return false
		}
	}
	for i := range versions {
		c.mu.busy[first+i] = true
		c.mu.top[first+i]++
		versions[i] = c.mu.top[first+i]
	}
	return true
}

// EndWrite ends the write of n sectors: it was acknowledged, or its outcome is unknown. In the latter case it must not be able to
// land any more.
func (c *Checker) EndWrite(first, n int, acknowledged bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := first; i < first+n; i++ {
		c.mu.busy[i] = false
		if acknowledged {
			c.mu.floor[i] = c.mu.top[i]
		}
	}
}

// BeginRead notes what a read of len(floors) sectors must at least return. Call it before the read is sent.
func (c *Checker) BeginRead(first int, floors []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(floors, c.mu.floor[first:])
}

// Wrong is a sector with a version that it must not have.
type Wrong struct {
	Sector     int
	Got        uint32
	Floor, Top uint32 // what was legal, inclusive
}

// EndRead judges the versions that a read returned, given what BeginRead noted, and adds what is wrong to list. Call it when the
// read has completed.
func (c *Checker) EndRead(first int, floors, got []uint32, list []Wrong) []Wrong {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, v := range got {
		s := first + i
		if v < floors[i] || v > c.mu.top[s] {
			list = append(list, Wrong{Sector: s, Got: v, Floor: floors[i], Top: c.mu.top[s]})
			continue
		}
		c.mu.floor[s] = max(c.mu.floor[s], v)
	}
	return list
}
