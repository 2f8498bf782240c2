package flash

import (
	"fmt"

	"forebay/cachecore/device"
)

// Open finds what a device holds. After a clean end that is all that was there; after any other, what is certain to be as it was (PROTOCOL G3).
// It reads footers only. When it returns, the next end is an unclean one unless Close says otherwise.
func Open(dev device.Device, o Options) (*Store, error) {
	sb, err := readSuperblock(dev)
	if err != nil {
		return nil, fmt.Errorf("open a flash tier: %w", err)
	}
	if o.ID != (ID{}) && o.ID != sb.id {
		return nil, fmt.Errorf("open a flash tier: %w", ErrOther)
	}
	book, a, err := readBook(dev, sb)
	if err == nil && !a.fits(sb.layout, dev.Size()) {
		err = fmt.Errorf("%d regions on %d bytes: %w", a.slots, dev.Size(), ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("open a flash tier: %w", err)
	}
	s, err := newStore(dev, o, sb, a.slots)
	if err != nil {
		return nil, fmt.Errorf("open a flash tier: %w", err)
	}
	if err := s.restore(book, &a); err != nil {
		s.end()
		_ = s.memory.Close()
		return nil, fmt.Errorf("open a flash tier: %w", err)
	}
	return s, nil
}

// fits holds an account against what its device can be.
func (a *account) fits(l layout, size int64) bool {
	for _, below := range a.marks {
		if below >= maxSeq {
			return false
		}
	}
	return a.slots >= minSlots && a.slots <= l.slotsIn(size) && a.floor > 0 && a.floor < maxSeq && a.void < maxSeq
}

// restore loads the regions, and says that the store runs. Until then nothing on the device has changed but what nobody may believe.
func (s *Store) restore(book *book, a *account) error {
	l := &loading{s: s, account: a, next: max(a.floor, a.void)}
	for _, below := range a.marks {
		l.next = max(l.next, below)
	}
	if err := l.regions(); err != nil {
		return err
	}
	if err := l.eraseBad(); err != nil {
		return err
	}
	for _, e := range a.entries() {
		sh := s.shardOf(s.hash(e.extent.key), e.extent.n)
		sh.marks[e.extent] = mark{below: e.below}
	}
	st, entries := standing{slots: a.slots, floor: a.floor, void: a.void}, a.entries()
	if len(entries) > book.most() { // with those of replaces: one takes their place, as in ledger.restate
		st.void, entries = l.next, nil
	}
	if err := book.restate(st, entries); err != nil {
		return err
	}
	book.dev = s.dev
	s.ledger.init(s, book, st)
	s.fill.next = l.next
	s.sealed.Store(l.next - 1)
	s.void.Store(st.void)
	s.freeSlots()
	return nil
}

// freeSlots are those without a region.
func (s *Store) freeSlots() {
	stored := make(map[uint32]bool, len(s.fill.stored))
	for _, slot := range s.fill.stored {
		stored[slot] = true
	}
	for slot := range s.fill.limit {
		if !stored[slot] {
			s.fill.free = append(s.fill.free, slot)
		}
	}
}
