package initiator

import (
	"context"
	"encoding/binary"
	"fmt"
)

var be = binary.BigEndian

// Operation codes (SPC-4, SBC-3).
const (
	opInquiry          = 0x12
	opSyncCache10      = 0x35
	opRead16           = 0x88
	opWrite16          = 0x8a
	opSyncCache16      = 0x91
	opServiceActionIn  = 0x9e
	saReadCapacity16   = 0x10
	forceUnitAccess    = 0x08
	attentionRetries   = 8
	capacityLength     = 32
	capacityNeeded     = 16 // of them
	vitalProductData   = 1
	maxInquiryResponse = 1024
)

// Read makes c a READ(16) of len(c.In) bytes; lba and blocks are in logical blocks.
func (c *Command) Read(lba uint64, blocks uint32) {
	c.CDB = [16]byte{opRead16}
	be.PutUint64(c.CDB[2:], lba)
	be.PutUint32(c.CDB[10:], blocks)
}

// Write makes c a WRITE(16) of c.Out.
func (c *Command) Write(lba uint64, blocks uint32, fua bool) {
	c.CDB = [16]byte{opWrite16}
	if fua {
		c.CDB[1] = forceUnitAccess
	}
	be.PutUint64(c.CDB[2:], lba)
	be.PutUint32(c.CDB[10:], blocks)
}

// Flush makes c a SYNCHRONIZE CACHE(16) of the whole medium, answered when everything written before is durable (SBC-3 5.26).
func (c *Command) Flush() {
	c.In, c.Out = nil, nil
	c.CDB = [16]byte{opSyncCache16}
}

// Flush10 is Flush as SYNCHRONIZE CACHE(10), the only one that some targets know.
func (c *Command) Flush10() {
	c.In, c.Out = nil, nil
	c.CDB = [16]byte{opSyncCache10}
}

// Capacity is what READ CAPACITY(16) tells (SBC-3 5.16).
type Capacity struct {
	Blocks       uint64
	BlockSize    int // bytes of a logical block
	Thin         bool
	ReadsZeroes  bool // LBPRZ
	BlocksPerPhy int  // logical blocks in a physical one
}

// Size is the capacity in bytes.
func (c Capacity) Size() int64 { return int64(c.Blocks) * int64(c.BlockSize) }

// Capacity asks for the size of a LUN.
func (s *Session) Capacity(ctx context.Context, lun uint16) (Capacity, error) {
	cdb := [16]byte{opServiceActionIn, saReadCapacity16}
	be.PutUint32(cdb[10:], capacityLength)
	p, err := s.ask(ctx, lun, cdb, capacityLength)
	if err != nil {
		return Capacity{}, fmt.Errorf("READ CAPACITY(16): %w", err)
	}
	if len(p) < capacityNeeded {
		return Capacity{}, protocolError("a capacity of %d bytes", len(p))
	}
	last, size := be.Uint64(p), be.Uint32(p[8:])
	if size < 512 || size > 64<<10 || size&(size-1) != 0 || last >= (1<<63-1)/uint64(size) {
		return Capacity{}, protocolError("a capacity of %d blocks of %d bytes", last+1, size)
	}
	return Capacity{Blocks: last + 1, BlockSize: int(size), Thin: p[14]&0x80 != 0, ReadsZeroes: p[14]&0x40 != 0, BlocksPerPhy: 1 << (p[13] & 15)}, nil
}

// Inquiry asks for the standard inquiry data, or for a page of vital product data (page > 0; SPC-4 6.6).
func (s *Session) Inquiry(ctx context.Context, lun uint16, page byte) ([]byte, error) {
	cdb := [16]byte{opInquiry}
	if page > 0 {
		cdb[1], cdb[2] = vitalProductData, page
	}
	be.PutUint16(cdb[3:], maxInquiryResponse)
	p, err := s.ask(ctx, lun, cdb, maxInquiryResponse)
	if err != nil {
		return nil, fmt.Errorf("INQUIRY: %w", err)
	}
	return p, nil
}

// Ready asks a LUN whether it is ready.
func (s *Session) Ready(ctx context.Context, lun uint16) error {
	if err := s.attentive(ctx, &Command{LUN: lun}); err != nil { // TEST UNIT READY is all zeros
		return fmt.Errorf("TEST UNIT READY: %w", err)
	}
	return nil
}

// SyncCache asks the LUN to make everything written durable (SYNCHRONIZE CACHE(10) of the whole medium).
func (s *Session) SyncCache(ctx context.Context, lun uint16) error {
	if err := s.attentive(ctx, &Command{LUN: lun, CDB: [16]byte{opSyncCache10}}); err != nil {
		return fmt.Errorf("SYNCHRONIZE CACHE: %w", err)
	}
	return nil
}

// ask does a command that reads at most n bytes, and returns those that came.
func (s *Session) ask(ctx context.Context, lun uint16, cdb [16]byte, n int) ([]byte, error) {
	c := &Command{LUN: lun, CDB: cdb, In: make([]byte, n)}
	if err := s.attentive(ctx, c); err != nil {
		return nil, err
	}
	return c.In[:c.received], nil
}

// attentive does a command again when a unit attention kept it from being executed (SAM-5 5.14). Options.Attention hears of it.
func (s *Session) attentive(ctx context.Context, c *Command) error {
	for i := 0; ; i++ {
		err := s.Do(ctx, c)
		if !IsUnitAttention(err) {
			return err
		}
		if hear := s.opts.Attention; hear != nil {
			hear(c.LUN, statusError(c))
		}
		if i == attentionRetries {
			return err
		}
	}
}
