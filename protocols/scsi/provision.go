package scsi

import (
	"bytes"
	"context"
	"encoding/binary"
)

// Limits of the Block Limits page (SBC-3 6.6.4).
const (
	maxUnmapBlocks      = 1 << 20
	maxUnmapDescriptors = 256
	maxSameBlocks       = 1 << 15
	sameChunk           = 1 << 20 // bytes of one write of a repeated pattern
)

// The flags in byte 1 of WRITE SAME.
const (
	sameAnchor   = 0x10
	sameUnmap    = 0x08
	sameObsolete = 0x06 // PBDATA, LBDATA: every block gets its address
	sameNDOB     = 0x01
)

// writeSame is WRITE SAME(10) and (16) (SBC-3 5.41, 5.42). Zeros are left to the array; other patterns are written in chunks.
func (u *Unit) writeSame(ctx context.Context, c *Command) {
	f := c.CDB[1]
	if !unprotected(c) {
		return
	}
	e, g, ok := u.extentOf(c)
	if !ok {
		return
	}
	noData := c.CDB[0] == 0x93 && f&sameNDOB != 0
	switch {
	case f&(sameAnchor|sameObsolete) != 0, f&sameUnmap != 0 && !g.Thin:
		c.invalidField(1)
		return
	case e.blocks == 0, e.blocks > maxSameBlocks: // WSNZ: a length of zero would mean up to the end
		c.invalidField(lengthField(c.CDB[0]))
		return
	case !noData && !c.takes(int64(g.BlockSize)):
		return
	case !noData && len(c.DataOut) != g.BlockSize, noData && len(c.DataOut) != 0:
		c.check(senseShortData)
		return
	}
	var err error
	if noData || allZero(c.DataOut) {
		mode := Zero
		if f&sameUnmap != 0 {
			mode = UnmapZero
		}
		err = u.store.Discard(ctx, e.off, e.n, mode)
	} else {
		err = u.repeat(ctx, c.DataOut, e)
	}
	if err != nil {
		c.fail(err, senseWriteError)
	}
}

func (u *Unit) repeat(ctx context.Context, block []byte, e extent) error {
	chunk := bytes.Repeat(block, int(min(sameChunk, e.n))/len(block))
	for done := int64(0); done < e.n; {
		n := min(int64(len(chunk)), e.n-done)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := u.store.Write(ctx, chunk[:n], e.off+done, false); err != nil {
			return err
		}
		done += n
	}
	return nil
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// unmap is UNMAP (SBC-3 5.28): all descriptors are checked before the first is executed.
func (u *Unit) unmap(ctx context.Context, c *Command) {
	g := u.geometry.Load()
	if c.CDB[1]&0x01 != 0 { // ANCHOR
		c.invalidField(1)
		return
	}
	if !c.takes(int64(binary.BigEndian.Uint16(c.CDB[7:]))) || c.Want == 0 {
		return
	}
	extents, ok := unmapExtents(c, g)
	if !ok {
		return
	}
	for _, e := range extents {
		if err := u.store.Discard(ctx, e.off, e.n, Unmap); err != nil {
			c.fail(err, senseWriteError)
			return
		}
	}
}

// unmapExtents parses an UNMAP parameter list, or ends c.
func unmapExtents(c *Command, g *Geometry) ([]extent, bool) {
	list := c.DataOut[:c.Want]
	if len(list) < 8 {
		c.check(senseParameterLength)
		return nil, false
	}
	descriptors := list[8:]
	if n := int(binary.BigEndian.Uint16(list[2:])); n < len(descriptors) {
		descriptors = descriptors[:n]
	}
	var extents []extent
	var total uint64
	for i := 0; len(descriptors) >= 16; i, descriptors = i+1, descriptors[16:] {
		e := extent{lba: binary.BigEndian.Uint64(descriptors), blocks: uint64(binary.BigEndian.Uint32(descriptors[8:]))}
		if !e.within(g) {
			c.checkInfo(senseLBAOutOfRange, e.lba)
			return nil, false
		}
		total += e.blocks
		if total > maxUnmapBlocks || i == maxUnmapDescriptors {
			c.checkField(senseInvalidParameter, false, 8+16*i)
			return nil, false
		}
		if e.n > 0 {
			extents = append(extents, e)
		}
	}
	return extents, true
}

// synchronizeCache is SYNCHRONIZE CACHE(10) and (16) (SBC-3 5.22, 5.23). The whole unit is flushed, whatever the range; IMMED is
// answered after the flush all the same, which is allowed and safer.
func (u *Unit) synchronizeCache(ctx context.Context, c *Command) {
	if _, _, ok := u.extentOf(c); !ok {
		return
	}
	u.flush(ctx, c)
}

// startStop is START STOP UNIT (SBC-3 5.21). A stopped unit refuses medium access until it is started or reset. Power
// conditions are accepted without effect; there is no medium to eject.
func (u *Unit) startStop(ctx context.Context, c *Command) {
	const (
		condition = 0xf0
		noFlush   = 0x04
		eject     = 0x02
		start     = 0x01
	)
	f := c.CDB[4]
	switch {
	case f&condition != 0:
	case f&eject != 0:
		c.invalidField(4)
	case f&start != 0:
		u.stopped.Store(false)
	default:
		if f&noFlush == 0 && u.ready.Load() && !u.flush(ctx, c) {
			return
		}
		u.stopped.Store(true)
	}
}
