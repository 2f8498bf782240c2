package ram

// ghost remembers which keys left the small queue lately, as 16 bits of hash and 16 of time in 4 bytes each: sets of 8, the oldest of
// which is replaced. It may take one key for another once in 8000 times, which costs a place in the main queue and nothing else. It
// remembers as many departures as the shard has slots.
type ghost struct {
	entries []uint32 // time<<16 | mark; 0: empty
	now     uint32   // departures
	tick    uint32   // departures per unit of time
}

const (
	ghostWays = 8
	ghostAges = 1024 // units of time that an entry counts
)

func newGhost(slots int) ghost {
	sets := max(1, slots/ghostWays)
	return ghost{entries: make([]uint32, sets*ghostWays), tick: uint32(max(1, slots/ghostAges))}
}

// set finds the entries that a key may be in. mark is never 0.
func (g *ghost) set(hash uint32) (entries []uint32, mark uint32) {
	at := within(hash, len(g.entries)/ghostWays) * ghostWays
	return g.entries[at : at+ghostWays], hash&0xffff | 1
}

func (g *ghost) time() uint32 { return g.now / g.tick & 0xffff }

func (g *ghost) remember(hash uint32) {
	g.now++
	entries, mark := g.set(hash)
	oldest, age := 0, uint32(0)
	for i, e := range entries {
		if e == 0 || e&0xffff == mark {
			oldest = i
			break
		}
		if a := (g.time() - e>>16) & 0xffff; a >= age {
			oldest, age = i, a
		}
	}
	entries[oldest] = g.time()<<16 | mark
}

// recall says whether the key is remembered, and forgets it.
func (g *ghost) recall(hash uint32) bool {
	entries, mark := g.set(hash)
	for i, e := range entries {
		if e != 0 && e&0xffff == mark && (g.time()-e>>16)&0xffff <= ghostAges {
			entries[i] = 0
			return true
		}
	}
	return false
}
