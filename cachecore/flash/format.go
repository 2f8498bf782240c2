package flash

import (
	"crypto/rand"
	"errors"
	"fmt"

	"forebay/cachecore/device"
)

// FormatOptions are how a device is laid out. The zero value is all of it, as fits.
type FormatOptions struct {
	Size        int64 // bytes of the device; 0: all
	RegionBytes int64 // what is written and reused at a time; 0: 1/64 of the device, 64 KiB to 16 MiB
}

// Format makes an empty flash tier, with an incarnation that no other has, and returns it. Whatever the device held is gone. The caller notes
// the ID where Options.Condemn takes it back, before it opens the device.
func Format(dev device.Device, o FormatOptions) (ID, error) {
	if o.Size == 0 {
		o.Size = dev.Size()
	}
	l, slots, err := newLayout(min(o.Size, dev.Size()), o.RegionBytes)
	if err != nil {
		return ID{}, fmt.Errorf("format: %w", err)
	}
	sb := superblock{layout: l}
	if _, err := rand.Read(sb.id[:]); err != nil {
		return ID{}, fmt.Errorf("format: %w", err)
	}
	// Without superblocks there is nothing; with the new ones there is what the new ledger says.
	err = eraseSuperblocks(dev)
	if err == nil {
		err = dev.Discard(0, l.end(slots))
	}
	if err == nil || errors.Is(err, device.ErrUnsupported) {
		err = newBook(dev, sb).restate(standing{slots: slots, floor: 1, void: 1}, nil)
	}
	if err == nil {
		p := device.Buffer(superblocks * blockSize)
		sb.encode(p)
		sb.encode(p[blockSize:])
		err = dev.WriteDurable(p, 0)
	}
	if err != nil {
		return ID{}, fmt.Errorf("format: %w", err)
	}
	return sb.id, nil
}

// eraseSuperblocks makes the device no flash tier.
func eraseSuperblocks(dev device.Device) error {
	var errs error
	for block := range uint32(superblocks) {
		errs = errors.Join(errs, erase(dev, block))
	}
	return errs
}
