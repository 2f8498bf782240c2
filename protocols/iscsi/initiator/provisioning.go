package initiator

import "context"

const (
	opUnmap       = 0x42
	opWriteSame16 = 0x93

	writeSameUnmap = 0x08 // UNMAP bit of WRITE SAME(16)

	extentLength = 16
	unmapHeader  = 8

	// MaxExtents is how many extents fit into one UNMAP, whose parameter list has at most 65535 bytes.
	MaxExtents = (1<<16 - 1 - unmapHeader) / extentLength
)

// Extent is a run of logical blocks.
type Extent struct {
	LBA    uint64
	Blocks uint32
}

// Unmap makes c an UNMAP of at most MaxExtents extents (SBC-3 5.28). Out becomes the parameter list, in memory of its own.
func (c *Command) Unmap(extents []Extent) {
	if len(extents) > MaxExtents {
		panic("initiator: more extents than an UNMAP has room for")
	}
	p := make([]byte, unmapHeader+extentLength*len(extents))
	be.PutUint16(p, uint16(len(p)-2))
	be.PutUint16(p[2:], uint16(len(p)-unmapHeader))
	for i, e := range extents {
		d := p[unmapHeader+extentLength*i:]
		be.PutUint64(d, e.LBA)
		be.PutUint32(d[8:], e.Blocks)
	}
	c.In, c.Out = nil, p
	c.CDB = [16]byte{opUnmap}
	be.PutUint16(c.CDB[7:], uint16(len(p)))
}

// WriteZeroes makes c a WRITE SAME(16) of block, one logical block of zeros (SBC-3 5.44); lba and blocks are in logical blocks.
// With unmap the target may give the space back instead, if the range then reads as zeros. 0 blocks mean all to the end of the LUN.
func (c *Command) WriteZeroes(lba uint64, blocks uint32, unmap bool, block []byte) {
	c.In, c.Out = nil, block
	c.CDB = [16]byte{opWriteSame16}
	if unmap {
		c.CDB[1] = writeSameUnmap
	}
	be.PutUint64(c.CDB[2:], lba)
	be.PutUint32(c.CDB[10:], blocks)
}

// Provisioning is what a LUN tells of the sizes that it takes, and of giving space back. Counts are in logical blocks.
type Provisioning struct {
	MaxTransfer     uint32 // of one READ or WRITE; 0: not told
	MaxUnmapBlocks  uint32 // of all extents of one UNMAP; 0: not told, ffffffffh: no limit
	MaxUnmapExtents uint32 // of one UNMAP; 0: not told, ffffffffh: no limit
	UnmapGrain      uint32 // UNMAP is best a multiple of this; 0: not told
	UnmapAlign      uint32 // the first block at which a grain begins
	MaxWriteSame    uint64 // of one WRITE SAME; 0: not told
	Unmap           bool   // LBPU: UNMAP is there
	WriteSameUnmap  bool   // LBPWS: WRITE SAME(16) can unmap
	WSNZ            bool   // WRITE SAME of 0 blocks is refused
}

// Provisioning asks for the block limits and the logical block provisioning (VPD pages B0h and B2h; SBC-3 6.6.4, 6.6.6). What a
// LUN has no page for is zero, without an error. Errors are those of Do, and ErrProtocol.
func (s *Session) Provisioning(ctx context.Context, lun uint16) (Provisioning, error) {
	var p Provisioning
	limits, err := s.vitalPage(ctx, lun, pageBlockLimits)
	if err != nil {
		return p, err
	}
	provisioning, err := s.vitalPage(ctx, lun, pageProvisioning)
	if err != nil {
		return p, err
	}
	p.takeLimits(limits)
	p.takeProvisioning(provisioning)
	return p, nil
}

// takeLimits reads the block limits page, of which older devices have the first 16 bytes only (SBC-2).
func (p *Provisioning) takeLimits(page []byte) {
	if len(page) >= 12 {
		p.WSNZ, p.MaxTransfer = page[4]&1 != 0, be.Uint32(page[8:])
	}
	if len(page) >= 36 {
		p.MaxUnmapBlocks, p.MaxUnmapExtents, p.UnmapGrain = be.Uint32(page[20:]), be.Uint32(page[24:]), be.Uint32(page[28:])
		if align := be.Uint32(page[32:]); align&(1<<31) != 0 { // UGAVALID
			p.UnmapAlign = align &^ (1 << 31)
		}
	}
	if len(page) >= 44 {
		p.MaxWriteSame = be.Uint64(page[36:])
	}
}

func (p *Provisioning) takeProvisioning(page []byte) {
	if len(page) >= 6 {
		p.Unmap, p.WriteSameUnmap = page[5]&0x80 != 0, page[5]&0x40 != 0
	}
}
