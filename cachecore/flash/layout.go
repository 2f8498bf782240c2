package flash

import (
	"fmt"
	"math/bits"
)

// layout is where things lie on the device. It is fixed by Format; how many regions there are is not (Resize).
//
//	block 0, 1        superblock, twice
//	from block 2 on   the ledger's two halves
//	from first on     regions: data, one block of validity, the footer
//
// All numbers are of 4 KiB blocks, from the start of the device or of the region.
type layout struct {
	ledgerHalf   uint32
	first        uint32
	regionBlocks uint32
	footerBlocks uint32 // at the end of each region
}

const (
	superblocks = 2

	minRegion = 16       // blocks
	maxRegion = 64 << 8  // 64 MiB
	dflRegion = 16 << 8  // the largest that is chosen unasked
	minSlots  = 4        // regions: one is being filled, one is written, one is spare
	minHalf   = 16       // blocks of half a ledger
	maxHalf   = 16 << 8  // 16 MiB
	ledgerPer = 64 << 10 // half the ledger is 1/65536 of the device
)

// newLayout lays a device of that many bytes out. regionBytes 0: as fits.
func newLayout(size, regionBytes int64) (layout, uint32, error) {
	blocks := min(size, maxBytes) / blockSize
	if regionBytes == 0 {
		regionBytes = min(dflRegion, max(minRegion, int64(1)<<bits.Len64(uint64(blocks/64)))) * blockSize
	}
	region := regionBytes / blockSize
	if regionBytes%blockSize != 0 || region < minRegion || region > maxRegion {
		return layout{}, 0, fmt.Errorf("regions of %d bytes", regionBytes)
	}
	half := max(minHalf, min(maxHalf, blocks/ledgerPer)) &^ 1
	l := layout{
		ledgerHalf:   uint32(half),
		first:        uint32(superblocks + 2*half),
		regionBlocks: uint32(region),
		footerBlocks: uint32(max(2, region/128)),
	}
	slots := l.slotsIn(size)
	if slots < minSlots {
		return layout{}, 0, fmt.Errorf("%d bytes: %w", size, ErrTooSmall)
	}
	return l, slots, nil
}

// valid says whether a layout read from a device is one that newLayout makes.
func (l layout) valid() bool {
	region := l.regionBlocks
	return region >= minRegion && region <= maxRegion && l.footerBlocks == max(2, region/128) &&
		l.ledgerHalf >= minHalf && l.ledgerHalf <= maxHalf && l.ledgerHalf%2 == 0 && l.first == superblocks+2*l.ledgerHalf
}

// slotsIn is how many regions fit into that many bytes.
func (l layout) slotsIn(size int64) uint32 {
	return uint32(max(0, min(size, maxBytes)/blockSize-int64(l.first)) / int64(l.regionBlocks))
}

// dataBlocks of a region come first in it.
func (l layout) dataBlocks() uint32 { return l.regionBlocks - l.footerBlocks - 1 }

// validityAt and footerAt are blocks of a region.
func (l layout) validityAt() uint32 { return l.dataBlocks() }
func (l layout) footerAt() uint32   { return l.dataBlocks() + 1 }

// block is the device's block of a region's block; slotOf is the way back.
func (l layout) block(slot, at uint32) uint32 { return l.first + slot*l.regionBlocks + at }
func (l layout) slotOf(block uint32) uint32   { return (block - l.first) / l.regionBlocks }

// end is how many bytes of the device that many regions need.
func (l layout) end(slots uint32) int64 {
	return (int64(l.first) + int64(slots)*int64(l.regionBlocks)) * blockSize
}

// halfAt is the first block of one half of the ledger.
func (l layout) halfAt(half int) uint32 { return superblocks + uint32(half)*l.ledgerHalf }

func offset(block uint32) int64 { return int64(block) * blockSize }
