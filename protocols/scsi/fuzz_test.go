package scsi_test

import (
	"context"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// The bits of FuzzCDB's last argument: what the unit is, and who asks.
const (
	with4K = 1 << iota
	withThin
	withReadOnly
	withMisses
	withoutArray
	withAttention
	withLargeMedium // larger than the longest transfer
	withCancel
)

// FuzzCDB: whatever is sent to a unit, it ends with a status of SAM-5, with sense data if and only if that is CHECK CONDITION, and
// with no more data than the CDB and the initiator allow; its store is asked for what it has only; and the unit lives on.
func FuzzCDB(f *testing.F) {
	f.Fuzz(func(t *testing.T, cdb, out []byte, room uint32, with byte) {
		g := fuzzedGeometry(with)
		store := &guard{Mem: scsitest.NewMem(int64(g.Blocks) * int64(g.BlockSize)), t: t, g: g, ready: with&withoutArray == 0}
		store.Cold = with&withMisses != 0
		u := scsi.NewUnit(scsi.UnitOptions{Identity: identity, Store: store, Logger: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)})
		u.SetGeometry(g)
		u.SetReady(store.ready)
		r := &rig{Unit: u, t: t, mem: store.Mem, size: g.BlockSize, g: g, nexus: nexus("iqn.2026-11.example:a,i,0x1")}
		if with&withAttention == 0 {
			r.want("6/29/00", testUnitReady)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if with&withCancel != 0 {
			cancel()
		}
		for range 2 { // the second finds what the first has left behind
			c := r.fuzzed(cdb, out, room)
			if !u.Inline(c) {
				if c.Want != -1 || c.Data.Len() != 0 || len(c.Sense()) != 0 {
					t.Errorf("Inline left %d bytes of %d and % x", c.Data.Len(), c.Want, c.Sense())
				}
				u.Execute(ctx, c)
			}
			r.allowed(c, g.BlockSize)
		}
		c := r.fuzzed(cdb, out, room)
		scsi.NoSuchUnit(c, []uint64{0, 1, 300})
		r.allowed(c, g.BlockSize)
		if len(out) >= 8 {
			if lun, ok := scsi.DecodeLUN(out); ok && !slices.Equal(scsi.EncodeLUN(lun), out[:8]) && out[0] != 0x40 {
				t.Errorf("LUN % x is %d", out[:8], lun)
			}
		}
		r.allowed(r.do(inquiry(0, 0, 36), nil), g.BlockSize)
	})
}

func fuzzedGeometry(with byte) scsi.Geometry {
	g := scsi.Geometry{BlockSize: 512, PhysicalBlock: 4096, Thin: with&withThin != 0, ZeroesOnUnmap: with&withThin != 0, ReadOnly: with&withReadOnly != 0}
	if with&with4K != 0 {
		g.BlockSize = 4096
	}
	size := 64 * kib
	if with&withLargeMedium != 0 {
		size = 2 * scsi.MaxTransfer
	}
	g.Blocks = uint64(size / g.BlockSize)
	return g
}

func (r *rig) fuzzed(cdb, out []byte, room uint32) *scsi.Command {
	c := r.command(cdb, out)
	c.Room, c.Want = int(room), -1
	return c
}

// allowed checks what an ended command brings.
func (r *rig) allowed(c *scsi.Command, blockSize int) {
	r.t.Helper()
	r.sound(c)
	switch c.Status {
	case scsi.StatusGood, scsi.StatusCheckCondition, scsi.StatusTaskAborted:
	default:
		r.t.Errorf("%x: %v", c.CDB, c.Status)
	}
	if s := c.Sense(); len(s) > 0 && (s[0]&0x7f != 0x70 || s[7] != 10 || s[2] > 0x0f || [3]byte{s[2], s[12], s[13]} == [3]byte{4, 0x44, 0}) {
		r.t.Errorf("%x: sense data % x", c.CDB, s)
	}
	n := 0
	for _, p := range c.Data.Segments() {
		n += len(p)
	}
	if n != c.Data.Len() || n > allowance(&c.CDB, c.Room, blockSize) {
		r.t.Errorf("%x with room for %d: %d bytes of data in %d", c.CDB, c.Room, c.Data.Len(), n)
	}
}

// allowance is how much data-in a CDB and the room for it allow.
func allowance(cdb *[16]byte, room, blockSize int) int {
	be := binary.BigEndian
	switch cdb[0] {
	case 0x03, 0x1a:
		return int(cdb[4])
	case 0x12:
		return int(be.Uint16(cdb[3:]))
	case 0x25:
		return 8
	case 0x5a:
		return int(be.Uint16(cdb[7:]))
	case 0x9e:
		return int(be.Uint32(cdb[10:]))
	case 0xa0, 0xa3:
		return int(be.Uint32(cdb[6:]))
	case 0x08:
		return min(room+blockSize-1, (int(cdb[4]-1)+1)*blockSize)
	case 0x28:
		return min(room+blockSize-1, int(be.Uint16(cdb[7:]))*blockSize)
	case 0xa8:
		return min(room+blockSize-1, int(be.Uint32(cdb[6:]))*blockSize)
	case 0x88:
		return min(room+blockSize-1, int(be.Uint32(cdb[10:]))*blockSize)
	}
	return 0
}
