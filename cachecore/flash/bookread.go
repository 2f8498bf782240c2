package flash

import (
	"fmt"

	"forebay/cachecore/device"
)

// account is what a ledger says.
type account struct {
	standing
	marks  map[extent]seq
	number uint64 // of the last page
}

// readBook finds the half that counts and reads it. The book goes on behind it.
func readBook(dev device.Device, sb superblock) (*book, account, error) {
	b := newBook(dev, sb)
	var half []byte
	for i := range 2 {
		p := device.Buffer(int(offset(sb.layout.ledgerHalf)))
		if err := dev.ReadAt(p, offset(sb.layout.halfAt(i))); err != nil {
			return nil, account{}, fmt.Errorf("read the ledger: %w", err)
		}
		if g := b.begins(p); g > b.generation {
			b.half, b.generation, half = i, g, p
		}
	}
	if half == nil {
		return nil, account{}, fmt.Errorf("the ledger has no beginning: %w", ErrDamaged)
	}
	a, err := b.read(half)
	return b, a, err
}

// begins returns the generation that begins in a half, or 0, and notes the latest of which there is any page: a power cut may have left some
// of a beginning.
func (b *book) begins(half []byte) uint64 {
	generation := uint64(0)
	for i := range b.pages() {
		g, ok := decodePage(half[i*pageSpan:])
		if !ok || g.id != b.id {
			continue
		}
		b.latest = max(b.latest, g.generation)
		if i == 0 && g.index == 0 {
			generation = g.generation
		}
	}
	return generation
}

// read goes over the pages of a half. The last page is before the first bad one: it was never answered. Unless a good one follows, or it is
// one of the opening, which were durable before the first.
func (b *book) read(half []byte) (account, error) {
	a := account{marks: make(map[extent]seq)}
	opening := uint32(1)
	for ; !b.full(); b.index++ {
		g, ok := b.good(half, b.index)
		if !ok {
			break
		}
		if b.index == 0 {
			opening = g.opening
		}
		b.number = g.number
		a.take(g)
	}
	if b.index < opening {
		return account{}, fmt.Errorf("the ledger's beginning is not whole: %w", ErrDamaged)
	}
	for i := b.index; i < b.pages(); i++ {
		if _, ok := b.good(half, i); ok {
			return account{}, fmt.Errorf("page %d of the ledger is bad: %w", b.index, ErrDamaged)
		}
	}
	return a, nil
}

// good reads a page of this generation.
func (b *book) good(half []byte, index uint32) (page, bool) {
	g, ok := decodePage(half[index*pageSpan:])
	return g, ok && g.id == b.id && g.generation == b.generation && g.index == index
}

func (a *account) take(g page) {
	a.standing, a.number = g.standing, g.number
	for _, e := range g.entries {
		a.marks[e.extent] = max(a.marks[e.extent], e.below)
	}
}

// voids says below which region what there is of an extent, whose object's key it has, is worth nothing after an unclean end.
func (a *account) voids(x extent) seq {
	return max(a.void, a.marks[x], a.marks[extent{x.key, wholeObject}])
}

// entries are its marks that still matter.
func (a *account) entries() []entry {
	var list []entry
	for x, below := range a.marks {
		if below > max(a.floor, a.void) {
			list = append(list, entry{x, below})
		}
	}
	return list
}
