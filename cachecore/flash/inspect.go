package flash

import (
	"errors"
	"fmt"
	"io"

	"forebay/cachecore/device"
)

// Inspect prints what a device holds and checks it, all of its content too: what Open would find, and whether each block is what was written. It
// changes nothing. Nobody else uses the device meanwhile.
func Inspect(dev device.Device, w io.Writer) error {
	sb, err := readSuperblock(dev)
	if err != nil {
		return err
	}
	book, a, err := readBook(dev, sb)
	if err == nil && !a.fits(sb.layout, dev.Size()) {
		err = ErrDamaged
	}
	fmt.Fprintf(w, "flash tier %x: regions of %d bytes\n", sb.id, offset(sb.layout.regionBlocks))
	if err != nil {
		return err
	}
	ended := "not ended, or not in order: marks count"
	if a.clean {
		ended = "ended in order"
	}
	fmt.Fprintf(w, "ledger: generation %d, page %d, %s; %d regions, those below %d gone, those below %d void; %d marks\n",
		book.generation, a.number, ended, a.slots, a.floor, a.void, len(a.marks))
	i := &inspection{loading: loading{s: &Store{raw: dev, layout: sb.layout, id: sb.id}, account: &a}, w: w}
	i.s.fill.limit = a.slots
	return i.run()
}

// inspection goes over the regions.
type inspection struct {
	loading
	w                   io.Writer
	counts, stale, bads int // blocks: that count, that don't, that aren't what was written
}

func (i *inspection) run() error {
	heads, err := i.heads()
	if err != nil {
		return err
	}
	for _, h := range heads {
		if err := i.region(h); err != nil {
			return err
		}
	}
	for _, slot := range i.bad {
		fmt.Fprintf(i.w, "slot %d: its footer can't be read\n", slot)
	}
	fmt.Fprintf(i.w, "%d regions, %d blocks that count, %d that don't, %d that are not what was written\n", len(heads), i.counts, i.stale, i.bads)
	if i.bads > 0 {
		return fmt.Errorf("%d blocks are not what was written", i.bads)
	}
	return nil
}

// region prints and checks one.
func (i *inspection) region(h footerHead) error {
	c := i.read(h)
	switch {
	case errors.Is(c.err, errContents):
		fmt.Fprintf(i.w, "region %d in slot %d: %v\n", h.seq, h.slot, c.err)
		return nil
	case c.err != nil:
		return c.err
	}
	data := device.Buffer(int(offset(i.s.layout.dataBlocks())))
	if err := i.s.raw.ReadAt(data, offset(i.s.layout.block(h.slot, 0))); err != nil {
		return fmt.Errorf("read region %d: %w", h.seq, err)
	}
	counts, stale, bads := 0, 0, 0
	for n := range c.footer.pieces {
		p := &c.footer.pieces[n]
		valid := i.certain(&c, p)
		counts += popcount(valid)
		stale += popcount(p.written &^ valid)
		bads += p.wrong(valid, data)
	}
	fmt.Fprintf(i.w, "region %d in slot %d: %d objects, %d pieces, %d blocks that count, %d that don't, %d that are not what was written\n",
		h.seq, h.slot, len(c.footer.objects), len(c.footer.pieces), counts, stale, bads)
	i.counts, i.stale, i.bads = i.counts+counts, i.stale+stale, i.bads+bads
	return nil
}

// wrong counts blocks that have another checksum than the footer says.
func (e *footerPiece) wrong(b blocks, data []byte) int {
	count, at := 0, int(e.at)
	for i, nth := 0, 0; i < lineBlocks; i++ {
		if e.written>>i&1 == 0 {
			continue
		}
		if b>>i&1 != 0 && checksum(data[(at+nth)*blockSize:][:blockSize]) != e.sums[nth] {
			count++
		}
		nth++
	}
	return count
}
