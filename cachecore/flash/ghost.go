package flash

// ghost remembers which blocks were lately wanted and weren't there, by line: a byte of blocks, 16 bits of the line's hash and a byte of
// time. Sets of 8, the oldest of which is replaced. It may take one line for another once in 8000 times, which costs a write to the flash
// and nothing else.
type ghost struct {
	entries []uint32 // time<<24 | mark<<8 | blocks; no blocks: empty
	now     uint32   // lines remembered
	tick    uint32   // of them per unit of time
}

const (
	ghostWays = 8
	ghostAges = 128 // units of time that an entry counts
)

func newGhost(lines int) ghost {
	sets := max(1, lines/ghostWays)
	return ghost{entries: make([]uint32, sets*ghostWays), tick: uint32(max(1, lines/ghostAges))}
}

func (g *ghost) time() uint32         { return g.now / g.tick & 0xff }
func (g *ghost) age(e uint32) uint32  { return (g.time() - e>>24) & 0xff }
func (g *ghost) counts(e uint32) bool { return e&0xff != 0 && g.age(e) <= ghostAges }

// entry is that of a line, or the one that it would replace.
func (g *ghost) entry(hash uint32) (e *uint32, known bool) {
	at := within(hash, len(g.entries)/ghostWays) * ghostWays
	set := g.entries[at : at+ghostWays]
	oldest, age := 0, uint32(0)
	for i, e := range set {
		switch {
		case !g.counts(e):
			oldest, age = i, 256
		case e>>8&0xffff == hash&0xffff:
			return &set[i], true
		case g.age(e) >= age:
			oldest, age = i, g.age(e)
		}
	}
	return &set[oldest], false
}

// touch remembers blocks, and returns those that were remembered before.
func (g *ghost) touch(hash uint32, wanted blocks) blocks {
	if wanted == 0 {
		return 0
	}
	e, known := g.entry(hash)
	before := uint32(0)
	if known {
		before = *e & 0xff
	} else {
		g.now++
	}
	*e = g.time()<<24 | hash&0xffff<<8 | before | uint32(wanted)
	return blocks(before) & wanted
}

// forget takes blocks out.
func (g *ghost) forget(hash uint32, b blocks) {
	if e, known := g.entry(hash); known {
		*e &^= uint32(b)
	}
}
