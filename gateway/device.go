package gateway

import (
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
	"forebay/protocols/scsi"
)

// device is a volume's unit as the iSCSI target serves it, with the counters of what it answers.
type device struct {
	*scsi.Unit
	stats *stats.Volume
}

// observer counts the commands of all devices, as the VMs see them.
type observer struct{}

// Observe implements target.Observer.
func (observer) Observe(d scsi.Device, c *scsi.Command, in, out int, took time.Duration, _ bool) {
	failed := c.Status != scsi.StatusGood
	switch c.CDB[0] {
	case 0x08, 0x28, 0xa8, 0x88: // READ(6) to READ(16)
		d.(*device).stats.Observe(stats.Read, in, took, failed)
	case 0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e: // WRITE(6) to WRITE(16), WRITE AND VERIFY
		d.(*device).stats.Observe(stats.Write, out, took, failed)
	}
}

// geometryOf is an array as a disk with logical blocks of that many bytes, which are one or more of the array's.
func geometryOf(info cachecore.ArrayInfo, block int) scsi.Geometry {
	return scsi.Geometry{
		BlockSize:     block,
		PhysicalBlock: max(info.PhysicalBlock, block),
		Blocks:        uint64(info.Size / int64(block)),
		Thin:          info.Thin,
		ZeroesOnUnmap: info.UnmapZeroes,
		UnmapGrain:    int(info.UnmapGrain / int64(block)),
		WriteCache:    info.WriteCache,
	}
}
