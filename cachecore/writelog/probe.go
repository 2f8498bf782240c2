package writelog

import (
	"fmt"

	"forebay/cachecore/device"
)

// Probe says whether a device has a log, by its superblocks alone: nil, or what Open would fail with for their sake.
func Probe(dev device.Device) error {
	if _, _, err := readSuperblocks(dev); err != nil {
		return fmt.Errorf("look for a write log: %w", err)
	}
	return nil
}

// Erase makes a device that has a log one that has none, durably: what is left of it is never taken for one. Whoever asks has seen that nothing in it
// counts. A power cut on the way leaves the log, whole, or none.
func Erase(dev device.Device) error {
	super, copies, err := readSuperblocks(dev)
	if err != nil {
		return fmt.Errorf("erase a write log: %w", err)
	}
	super.state = stateFormatting // with a copy that says so the others need not agree any more
	for _, p := range [][]byte{super.encode(), device.Buffer(unit)} {
		for _, c := range copies {
			if err := dev.WriteDurable(p, c.at*unit); err != nil {
				return fmt.Errorf("erase a write log: %w", err)
			}
		}
	}
	return nil
}
