package devicetest

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"forebay/cachecore/device"
)

// Crash is what a power cut may have left.
type Crash struct {
	image     []byte // with the oldest version of every uncertain sector
	uncertain []sector
}

// sector is one whose content the cut decides.
type sector struct {
	off      int64
	versions [][]byte // the durable one first, then as they were written; no two neighbours are equal
}

// Crash says what a power cut may leave after that many events (Events), 0 being before the first call.
func (t *Twin) Crash(event int) *Crash {
	t.mu.Lock()
	ops := slices.Clone(t.mu.ops)
	for i, o := range ops {
		seen := *o // its end may be set later
		ops[i] = &seen
	}
	t.mu.Unlock()
	c := &Crash{image: device.Buffer(len(t.base))}
	copy(c.image, t.base)
	open := map[int64]*sector{}
	for i, o := range ops {
		if o.kind == Sync || o.start > event {
			continue
		}
		durable := o.durableBy(ops[i+1:], event)
		for at := int64(0); at < int64(len(o.data)); at += Sector {
			c.put(open, o.off+at, o.data[at:at+Sector], durable)
		}
	}
	for _, s := range open {
		if len(s.versions) > 1 {
			c.uncertain = append(c.uncertain, *s)
		}
	}
	slices.SortFunc(c.uncertain, func(a, b sector) int { return int(a.off - b.off) })
	return c
}

// durableBy says whether an operation was surely durable at that moment; later are the operations that were recorded after it.
func (o *op) durableBy(later []*op, event int) bool {
	if o.end == 0 || o.end > event {
		return false
	}
	if o.kind == WriteDurable {
		return true
	}
	return slices.ContainsFunc(later, func(s *op) bool {
		return s.kind == Sync && s.start > o.end && s.end != 0 && s.end <= event
	})
}

func (c *Crash) put(open map[int64]*sector, off int64, data []byte, durable bool) {
	s := open[off]
	switch {
	case durable: // it has overtaken every version before it
		copy(c.image[off:], data)
		delete(open, off)
		return
	case s == nil:
		s = &sector{off: off, versions: [][]byte{bytes.Clone(c.image[off : off+Sector])}}
		open[off] = s
	}
	if !bytes.Equal(s.versions[len(s.versions)-1], data) {
		s.versions = append(s.versions, data)
	}
}

// Count is how many images there are, at most most.
func (c *Crash) Count(most int) int {
	n := 1
	for _, s := range c.uncertain {
		if n *= len(s.versions); n >= most {
			return most
		}
	}
	return n
}

// Each calls f with every image if there are no more than limit, and says that it was every one. Otherwise it takes the telling ones (nothing, all,
// each beginning, each end, each sector alone, all but each) and then random ones, limit of them. The image is f's until it returns;
// f says whether to go on.
func (c *Crash) Each(limit int, random *rand.Rand, f func(image []byte) bool) (all bool) {
	choice := make([]int, len(c.uncertain))
	if c.Count(limit+1) <= limit {
		return c.every(choice, f)
	}
	for n := 0; n < limit; n++ {
		if !c.telling(n, choice) {
			for i := range choice {
				choice[i] = random.IntN(len(c.uncertain[i].versions))
			}
		}
		if !f(c.with(choice)) {
			break
		}
	}
	return false
}

func (c *Crash) every(choice []int, f func([]byte) bool) bool {
	for {
		if !f(c.with(choice)) {
			return false
		}
		i := 0
		for ; i < len(choice); i++ {
			if choice[i]++; choice[i] < len(c.uncertain[i].versions) {
				break
			}
			choice[i] = 0
		}
		if i == len(choice) {
			return true
		}
	}
}

// telling fills in the n-th of the telling choices; false: there are fewer.
func (c *Crash) telling(n int, choice []int) bool {
	k := len(choice)
	if n == 0 {
		clear(choice)
		return true
	}
	shape, at := (n-1)/k, (n-1)%k
	if shape >= 4 {
		return false
	}
	for i := range choice {
		newest := [...]bool{i <= at, i >= at, i == at, i != at}[shape]
		choice[i] = 0
		if newest {
			choice[i] = len(c.uncertain[i].versions) - 1
		}
	}
	return true
}

// with returns the image of a choice, in the memory of all.
func (c *Crash) with(choice []int) []byte {
	for i, s := range c.uncertain {
		copy(c.image[s.off:], s.versions[choice[i]])
	}
	return c.image
}
