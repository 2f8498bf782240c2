package flash

import (
	"fmt"

	"forebay/cachecore/device"
)

// book writes the ledger's pages. It has two halves: pages are appended to one until it is full, then what is so is restated at the start of
// the other, which counts from its first page on. It is used by one goroutine at a time.
type book struct {
	dev    device.Device
	id     ID
	layout layout

	half       int
	generation uint64 // of this half
	latest     uint64 // generation of which anything may be on the device
	index      uint32 // of the next page
	number     uint64 // of the last page
	buf        []byte // two pages
}

func newBook(dev device.Device, b superblock) *book {
	return &book{dev: dev, id: b.id, layout: b.layout, buf: device.Buffer(2 * pageSpan)}
}

// pages is how many one half holds; most how many entries; marks how many a restatement may have, so that as much room is left for new ones.
func (b *book) pages() uint32 { return b.layout.ledgerHalf / pageCopies }
func (b *book) most() int     { return int(b.pages()) * pageEntries }
func (b *book) marks() int    { return int(b.pages()/2) * pageEntries }
func (b *book) full() bool    { return b.index == b.pages() }

func (b *book) at(index uint32) int64 {
	return offset(b.layout.halfAt(b.half) + index*pageCopies)
}

func (b *book) page(st standing, entries []entry) page {
	b.number++
	g := page{id: b.id, generation: b.generation, index: b.index, number: b.number, standing: st, entries: entries}
	b.index++
	return g
}

// append makes a page durable. Pages are written one after the other: so one that is bad before one that is good was good once.
func (b *book) append(st standing, entries []entry) error {
	g := b.page(st, entries)
	p := b.buf[:pageSpan]
	g.encode(p)
	if err := b.dev.WriteDurable(p, b.at(g.index)); err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	return nil
}

// restate begins the other half with all that is so. Nothing there counts before its first page is durable, which is written last.
func (b *book) restate(st standing, entries []entry) error {
	b.latest++
	b.half, b.generation, b.index = 1-b.half, b.latest, 0
	opening := uint32(max(1, (len(entries)+pageEntries-1)/pageEntries))
	first, p := b.buf[:pageSpan], b.buf[pageSpan:]
	for i := range opening {
		g := b.page(st, entries[:min(len(entries), pageEntries)])
		g.opening = opening
		entries = entries[len(g.entries):]
		if i == 0 {
			g.encode(first)
		} else {
			g.encode(p)
			if err := b.dev.WriteAt(p, b.at(i)); err != nil {
				return fmt.Errorf("write to the ledger: %w", err)
			}
		}
	}
	if opening > 1 {
		if err := b.dev.Sync(); err != nil {
			return fmt.Errorf("sync the ledger: %w", err)
		}
	}
	if err := b.dev.WriteDurable(first, b.at(0)); err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	return nil
}
