package scsi

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gostor/gotgt/pkg/api"
	gotgt "github.com/gostor/gotgt/pkg/scsi"
	"github.com/rs/zerolog"
)

func TestPanicInGotgtEndsTheCommandAlone(t *testing.T) {
	var log bytes.Buffer
	u := NewUnit(UnitOptions{Logger: zerolog.New(&log)})
	u.SetGeometry(Geometry{BlockSize: 512, PhysicalBlock: 512, Blocks: 8})
	u.SetReady(true)
	u.base.ops.SCSIDeviceOps[0x00] = gotgt.NewSCSIDeviceOperation(func(int, *api.SCSICommand) api.SAMStat { panic("index out of range") }, nil, 0)
	n := new(Nexus)
	for _, want := range []senseCode{sensePowerOn, senseInternalFailure, senseInternalFailure} {
		c := &Command{Nexus: n}
		if !u.Inline(c) || c.Status != StatusCheckCondition || (senseCode{c.sense[2], c.sense[12], c.sense[13]}) != want {
			t.Errorf("%v with sense data % x, want %x", c.Status, c.Sense(), want)
		}
	}
	if !strings.Contains(log.String(), "index out of range") {
		t.Errorf("the log has %q", log.String())
	}
}
