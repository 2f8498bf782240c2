package flash

import (
	"fmt"

	"forebay/cachecore/device"
)

// headBytes is where others have something that says what a device holds.
const headBytes = 1 << 20

// Vacant says whether Format would overwrite nobody's data: the device's first MiB is empty, or begins as a flash tier does, or as what is left of one
// that was withdrawn, or whose Format was cut short.
func Vacant(dev device.Device) (bool, error) {
	p := device.Buffer(int(min(headBytes, dev.Size())))
	if err := dev.ReadAt(p, 0); err != nil {
		return false, fmt.Errorf("look at the device's head: %w", err)
	}
	empty := true
	for at := 0; at+blockSize <= len(p); at += blockSize {
		block := p[at : at+blockSize]
		zero := isZero(block)
		switch {
		case at < superblocks*blockSize && !zero && string(block[:8]) != superMagic:
			return false, nil
		case at < (superblocks+2*minHalf)*blockSize && (string(block[:8]) == superMagic || string(block[:8]) == ledgerMagic):
			return true, nil
		}
		empty = empty && zero
	}
	return empty, nil
}
