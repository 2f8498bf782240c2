package scsi

import (
	"fmt"

	"github.com/gostor/gotgt/pkg/api"
	gotgt "github.com/gostor/gotgt/pkg/scsi"
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
)

// baseServer runs gotgt's operation table for the commands that gotgt answers as it should: TEST UNIT READY, standard INQUIRY,
// READ CAPACITY(10), SEND DIAGNOSTIC and unknown opcodes. Its handlers index into CDB and buffers without looking, so each
// gets a 16-byte CDB, 64 KiB of scratch and a data-out buffer; none of them reaches gotgt's Storage. Of what it answers the returned
// status counts; its sense buffer is read, because what it leaves in Result is the sense key.
type baseServer struct {
	unit *Unit
	ops  gotgt.SBCSCSIDeviceProtocol
	log  zerolog.Logger
}

const baseScratch = 64 << 10

func newBaseServer(u *Unit) *baseServer {
	// gotgt speaks to logrus's standard logger and knows no other. What matters comes back as status and sense.
	logrus.SetLevel(logrus.PanicLevel)
	ops, _ := gotgt.NewSBCDevice(api.TYPE_DISK).(gotgt.SBCSCSIDeviceProtocol)
	return &baseServer{unit: u, ops: ops, log: u.log}
}

// serve executes c in gotgt. A panic there ends the command, not the process.
func (b *baseServer) serve(c *Command) {
	defer func() {
		if r := recover(); r != nil {
			b.log.Error().Str("panic", fmt.Sprint(r)).Hex("cdb", c.CDB[:]).Msg("device server failed")
			c.check(senseInternalFailure)
		}
	}()
	lu := b.lu()
	cdb := c.CDB
	perform := gotgt.SPCIllegalOp
	if len(b.unit.offered(cdb[0])) > 0 {
		perform = b.ops.SCSIDeviceOps[cdb[0]].CommandPerformFunc
	} else {
		cdb = [16]byte{} // gotgt cuts sense data to what it takes for a vendor's opcode's allocation length
	}
	in := &api.SCSIDataBuffer{Buffer: make([]byte, baseScratch), Length: baseScratch}
	cmd := &api.SCSICommand{
		OpCode:        cdb[0],
		Device:        lu,
		SCB:           cdb[:],
		SCBLength:     len(cdb),
		InSDBBuffer:   in,
		OutSDBBuffer:  &api.SCSIDataBuffer{Buffer: make([]byte, baseScratch), Length: baseScratch},
		ITNexusLuInfo: &api.ITNexusLuInfo{Lu: lu},
	}
	c.Status = Status(perform(0, cmd).Stat)
	if c.Status == StatusGood {
		c.reply(in.Buffer[:min(int(in.Resid), baseScratch)], baseScratch)
		return
	}
	c.takeSense(cmd.SenseBuffer)
}

// lu is the unit in gotgt's terms, as it is now.
func (b *baseServer) lu() *api.SCSILu {
	u := b.unit
	g := u.geometry.Load()
	shift := uint(0)
	for 1<<shift < g.BlockSize {
		shift++
	}
	return &api.SCSILu{
		Size:       g.Blocks << shift,
		BlockShift: shift,
		Attrs: api.SCSILuPhyAttribute{
			DeviceType: api.TYPE_DISK,
			Online:     true, // admit has looked
			VendorID:   u.identity.Vendor,
			ProductID:  u.identity.Product,
			ProductRev: productRevision,
			// SAM-5, iSCSI, SPC-4, SBC-3; no version claimed (SPC-5 table 152)
			VersionDesction: [8]uint16{0x00a0, 0x0960, 0x0460, 0x04c0},
		},
	}
}

func (c *Command) takeSense(s *api.SenseBuffer) {
	if s == nil || len(s.Buffer) < 14 {
		c.check(senseInternalFailure)
		return
	}
	c.check(senseCode{key: s.Buffer[2] & 0x0f, asc: s.Buffer[12], ascq: s.Buffer[13]})
}
