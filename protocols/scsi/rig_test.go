package scsi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

var identity = scsi.Identity{
	NAA:     [16]byte{0x60, 0x01, 0x40, 0x5a, 0xbc, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
	Serial:  "6001405abc0102030405060708090a0b",
	Vendor:  "FOREBAY",
	Product: "VOLUME",
	Name:    "vmstore",
}

// rig is a unit over memory, and a nexus that has taken its power on attention.
type rig struct {
	*scsi.Unit
	t     testing.TB
	mem   *scsitest.Mem
	nexus *scsi.Nexus
	size  int // of the logical block
	g     scsi.Geometry
}

// disk is a thin disk of 8 MiB.
func disk(blockSize int) scsi.Geometry {
	return scsi.Geometry{BlockSize: blockSize, PhysicalBlock: 4096, Blocks: uint64(8 * mib / blockSize), Thin: true, ZeroesOnUnmap: true}
}

func newRig(t testing.TB, g scsi.Geometry) *rig {
	t.Helper()
	mem := scsitest.NewMem(int64(g.Blocks) * int64(g.BlockSize))
	return newRigOver(t, g, mem, mem)
}

// newRigOver is newRig with a store of the test's own before mem, which may be nil if no test looks at it.
func newRigOver(t testing.TB, g scsi.Geometry, store scsi.Store, mem *scsitest.Mem) *rig {
	t.Helper()
	r := &rig{t: t, mem: mem, size: g.BlockSize, g: g, nexus: nexus("iqn.2026-11.example:a,i,0x400001370000")}
	r.Unit = scsi.NewUnit(scsi.UnitOptions{Identity: identity, Store: store, Logger: zerolog.Nop()})
	r.SetGeometry(g)
	r.SetReady(true)
	r.want("6/29/00", testUnitReady)
	return r
}

func nexus(initiator string) *scsi.Nexus {
	return &scsi.Nexus{Initiator: initiator, Target: "iqn.2026-11.example:t", PortalTag: 1, RelPort: 1}
}

// eachBlockSize runs a test on disks of both block sizes.
func eachBlockSize(t *testing.T, test func(t *testing.T, r *rig)) {
	for _, size := range []int{512, 4096} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { test(t, newRig(t, disk(size))) })
	}
}

// command is a CDB with its data-out, and room for whatever comes.
func (r *rig) command(cdb []byte, out []byte) *scsi.Command {
	c := &scsi.Command{Nexus: r.nexus, DataOut: out, Room: 16 * mib}
	copy(c.CDB[:], cdb)
	return c
}

// do executes a command as a transport does, and finds the residual base and the sense data sound.
func (r *rig) do(cdb []byte, out []byte) *scsi.Command {
	r.t.Helper()
	c := r.command(cdb, out)
	execute(r.Unit, c)
	r.sound(c)
	return c
}

func execute(u *scsi.Unit, c *scsi.Command) {
	if !u.Inline(c) {
		u.Execute(context.Background(), c)
	}
}

// sound checks what holds for every command that ended.
func (r *rig) sound(c *scsi.Command) {
	r.t.Helper()
	if (c.Status == scsi.StatusCheckCondition) != (len(c.Sense()) == 18) {
		r.t.Errorf("%x: %v with %d bytes of sense data", c.CDB, c.Status, len(c.Sense()))
	}
	if c.Status != scsi.StatusGood && c.Data.Len() != 0 {
		r.t.Errorf("%x: %v with %d bytes of data", c.CDB, c.Status, c.Data.Len())
	}
	if c.Want < 0 || c.Data.Len() > c.Want {
		r.t.Errorf("%x: %d bytes of data, and the CDB asks for %d", c.CDB, c.Data.Len(), c.Want)
	}
}

// verdict is how a command ended: GOOD, "key/asc/ascq" in hexadecimal, or another status.
func verdict(c *scsi.Command) string {
	if s := c.Sense(); c.Status == scsi.StatusCheckCondition && len(s) == 18 {
		return fmt.Sprintf("%x/%02x/%02x", s[2]&0x0f, s[12], s[13])
	}
	return c.Status.String()
}

// want executes a command without data-out and compares how it ended.
func (r *rig) want(how string, cdb []byte) *scsi.Command {
	r.t.Helper()
	return r.wantOut(how, cdb, nil)
}

func (r *rig) wantOut(how string, cdb, out []byte) *scsi.Command {
	r.t.Helper()
	c := r.do(cdb, out)
	if v := verdict(c); v != how {
		r.t.Errorf("%x with %d bytes: %s, want %s", cdb, len(out), v, how)
	}
	return c
}

// in is the data-in of a command that must succeed.
func (r *rig) in(cdb []byte) []byte {
	r.t.Helper()
	return bytesOf(r.want("GOOD", cdb))
}

func bytesOf(c *scsi.Command) []byte { return bytes.Join(c.Data.Segments(), nil) }

// field is the field pointer of sense data: "cdb 1", "list 8" or none (SPC-5 4.4.2.4.2).
func field(c *scsi.Command) string {
	s := c.Sense()
	if len(s) < 18 || s[15]&0x80 == 0 {
		return "none"
	}
	where := "list"
	if s[15]&0x40 != 0 {
		where = "cdb"
	}
	return fmt.Sprint(where, " ", binary.BigEndian.Uint16(s[16:]))
}

// information is the INFORMATION field, or -1.
func information(c *scsi.Command) int64 {
	if s := c.Sense(); len(s) == 18 && s[0]&0x80 != 0 {
		return int64(binary.BigEndian.Uint32(s[3:]))
	}
	return -1
}

// pattern is n bytes, no two blocks of which are the same.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return p
}

// fill puts a pattern on the whole medium and returns it.
func (r *rig) fill() []byte {
	r.t.Helper()
	p := pattern(int(r.g.Blocks)*r.size, 0x5a)
	if err := r.mem.Write(context.Background(), p, 0, true); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// holds checks what is on the medium.
func (r *rig) holds(want []byte) {
	r.t.Helper()
	have := r.mem.Content()
	if bytes.Equal(have, want) {
		return
	}
	for i := range have {
		if have[i] != want[i] {
			r.t.Errorf("the medium differs from byte %d on, block %d", i, i/r.size)
			return
		}
	}
}
