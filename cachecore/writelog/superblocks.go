package writelog

import (
	"errors"
	"fmt"
	"slices"

	"forebay/cachecore/device"
)

// superCopy is what was found where a copy of the superblock should be.
type superCopy struct {
	at  int64 // unit
	is  superblock
	err error
}

// readSuperblocks finds the log of a device: two copies have to agree.
//
// The last two copies are where the device ended when it was formatted. So they are looked for where the first two say; if both are gone, at the end
// of the device as it is now.
func readSuperblocks(dev device.Device) (superblock, []superCopy, error) {
	var copies []superCopy
	end := dev.Size() / unit
	for at := range min(frontUnits, end) {
		copies = append(copies, readSuperblock(dev, at))
	}
	behind := []int64{end - 2, end - 1}
	for _, c := range copies {
		if c.err == nil {
			places := c.is.superblocks()
			behind = places[2:]
			break
		}
	}
	for _, at := range behind {
		if at >= frontUnits {
			copies = append(copies, readSuperblock(dev, at))
		}
	}
	s, err := agree(copies)
	return s, copies, err
}

func readSuperblock(dev device.Device, at int64) superCopy {
	b := device.Buffer(unit)
	if err := dev.ReadAt(b, at*unit); err != nil {
		return superCopy{at: at, err: fmt.Errorf("%w: %w", ErrDamaged, err)}
	}
	s, err := decodeSuperblock(b, dev.Size())
	if places := s.superblocks(); err == nil && !slices.Contains(places[:], at) {
		err = errNoSuperblock // it is that of a log which ends where the device does and begins elsewhere
	}
	return superCopy{at: at, is: s, err: err}
}

// agree finds what two copies say. Format leaves, if the power is cut, two old ones or at least one that says so; everything else is damage.
func agree(copies []superCopy) (superblock, error) {
	var worst error
	formatting, any := false, false
	for i, c := range copies {
		switch {
		case errors.Is(c.err, errNoSuperblock):
			continue
		case c.err != nil:
			if worst == nil || errors.Is(c.err, ErrVersion) {
				worst = c.err
			}
			continue
		case c.is.state == stateFormatting:
			formatting = true
			continue
		}
		any = true
		for _, other := range copies[:i] {
			if other.err == nil && other.is == c.is {
				return c.is, nil
			}
		}
	}
	switch {
	case formatting:
		return superblock{}, ErrHalfFormatted
	case worst != nil:
		return superblock{}, worst
	case any:
		return superblock{}, fmt.Errorf("%w: no two superblocks agree", ErrDamaged)
	}
	return superblock{}, ErrNotFormatted
}
