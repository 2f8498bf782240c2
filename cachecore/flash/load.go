package flash

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"forebay/cachecore/device"
)

// loading brings the regions of a device into the index, from the oldest to the newest: what is in a newer one takes the place of what was in
// an older.
type loading struct {
	s       *Store
	account *account
	next    seq      // above all that was seen
	bad     []uint32 // slots whose footer must not be believed, now or ever
}

const readers = 16 // of footers, at a time

func (l *loading) regions() error {
	heads, err := l.heads()
	if err != nil {
		return err
	}
	slots := l.s.fill.limit
	ahead := make(chan chan contents, readers)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(ahead)
		for _, h := range heads {
			one := make(chan contents, 1)
			select {
			case ahead <- one:
			case <-stop:
				return
			}
			go func() { one <- l.read(h) }()
		}
	}()
	for one := range ahead {
		c := <-one
		switch {
		case errors.Is(c.err, errContents):
			l.bad = append(l.bad, c.slot)
		case c.err != nil:
			return c.err
		case c.slot < slots:
			l.enter(&c)
		}
	}
	return nil
}

// heads reads the heads of all footers and returns those whose contents count, by number.
func (l *loading) heads() ([]footerHead, error) {
	found := make([]footerHead, l.s.fill.limit)
	junk := make([]bool, len(found))
	var group errgroup.Group
	for worker := range readers {
		group.Go(func() error {
			p := device.Buffer(blockSize)
			for slot := worker; slot < len(found); slot += readers {
				at := offset(l.s.layout.block(uint32(slot), l.s.layout.footerAt()))
				if err := l.s.raw.ReadAt(p, at); err != nil {
					return fmt.Errorf("read the footer of region %d: %w", slot, err)
				}
				h, ok := decodeFooterHead(p)
				found[slot], junk[slot] = h, !ok && !isZero(p)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return l.sort(found, junk), nil
}

// sort leaves the heads of this incarnation that are not below the floor. What isn't a head at all may have been one, misread.
func (l *loading) sort(found []footerHead, junk []bool) []footerHead {
	var heads []footerHead
	for slot, h := range found {
		switch {
		case junk[slot]:
			l.bad = append(l.bad, uint32(slot))
		case h.seq == 0 || h.id != l.s.id:
		case h.slot != uint32(slot):
			l.bad = append(l.bad, uint32(slot))
		default:
			l.next = max(l.next, h.seq+1)
			if h.seq >= l.account.floor {
				heads = append(heads, h)
			}
		}
	}
	slices.SortFunc(heads, func(a, b footerHead) int { return cmp.Compare(a.seq, b.seq) })
	return heads
}

// contents is what a region's end says.
type contents struct {
	footer *footer
	slot   uint32
	bits   []byte // after a clean end: what is valid
	err    error
}

var errContents = errors.New("not a footer")

func (l *loading) read(h footerHead) contents {
	layout := l.s.layout
	c := contents{slot: h.slot}
	if int64(h.bytes) > offset(layout.footerBlocks) {
		c.err = errContents
		return c
	}
	n := 1 + (h.bytes+blockSize-1)/blockSize
	p := device.Buffer(int(offset(n)))
	if c.err = l.s.raw.ReadAt(p, offset(layout.block(h.slot, layout.validityAt()))); c.err != nil {
		return c
	}
	again, ok := decodeFooterHead(p[blockSize:])
	if ok && again == h {
		c.footer, ok = decodeFooter(h, p[blockSize:], layout)
	}
	if ok && l.account.clean {
		var bits []byte
		bits, ok = decodeValidity(p, h, l.account.number, layout)
		c.bits = bytes.Clone(bits)
	}
	if !ok {
		c.err = errContents
	}
	return c
}

// eraseBad makes the footers that can't be believed unbelievable: what is misread once may be read well the next time, when it is stale.
func (l *loading) eraseBad() error {
	for _, slot := range l.bad {
		at := offset(l.s.layout.block(slot, l.s.layout.footerAt()))
		if err := l.s.raw.WriteAt(zeroes, at); err != nil {
			return fmt.Errorf("erase the footer of region %d: %w", slot, err)
		}
	}
	if len(l.bad) == 0 {
		return nil
	}
	if err := l.s.raw.Sync(); err != nil {
		return fmt.Errorf("erase footers: %w", err)
	}
	return nil
}
