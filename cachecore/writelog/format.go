package writelog

import (
	"errors"
	"fmt"
	"time"

	"forebay/cachecore/device"
)

// FormatOptions of Format.
type FormatOptions struct {
	// SegmentSize in bytes, whole units: what is freed at a time. 0: what suits the device, up to 64 MiB.
	SegmentSize int64
}

// Format makes an empty log of a device. What is there is given up, whatever it is. The device keeps its name if it had a log; the incarnation is new,
// so that nothing of the old log is taken for the new one's (PROTOCOL A4).
//
// A power cut on the way leaves the old log, whole, or none: Open says ErrHalfFormatted then.
func Format(dev device.Device, o FormatOptions) error {
	g, err := divide(dev.Size(), o.SegmentSize)
	if err != nil {
		return fmt.Errorf("format: %w", err)
	}
	old, _, err := readSuperblocks(dev)
	s := superblock{state: stateFormatting, device: old.device, incarnation: newID(), geometry: g}
	if err != nil {
		s.device = newID()
	}
	if err := errors.Join(writeSuperblocks(dev, s), dev.Sync()); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	if err := errors.Join(writeFirst(dev, s), dev.Sync()); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	s.state = stateReady
	if err := errors.Join(writeSuperblocks(dev, s), dev.Sync()); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	return nil
}

func writeSuperblocks(dev device.Device, s superblock) error {
	b := s.encode()
	for _, at := range s.superblocks() {
		if err := dev.WriteAt(b, at*unit); err != nil {
			return err
		}
	}
	return nil
}

// writeFirst writes the frame that every log begins with: without it there would be no telling an empty log from one whose beginning is lost.
func writeFirst(dev device.Device, s superblock) error {
	h := header{flags: frameFirst, segment: 1, number: 1, session: newSession(), tail: 1, data: headerSize, written: time.Now().UnixNano()}
	var b builder
	b.reset(1, nil)
	blocks, _ := b.seal(&h, s.incarnation, s.start(1))
	return dev.WriteAt(blocks, s.start(1)*unit)
}
