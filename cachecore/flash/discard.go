package flash

import (
	"errors"

	"forebay/cachecore/device"
)

// discard tells the device that a region isn't needed before it is written again, where the device wants to know.
func (s *Store) discard(slot uint32) error {
	if s.undiscardable.Load() {
		return nil
	}
	err := s.dev.Discard(offset(s.layout.block(slot, 0)), offset(s.layout.regionBlocks))
	if errors.Is(err, device.ErrUnsupported) {
		s.undiscardable.Store(true)
		return nil
	}
	return err
}

// Discard of a guard: a device that can't is not failing.
func (g *guard) Discard(off, n int64) error {
	unsupported := false
	err := g.ask("discard", off, func() error {
		err := g.Device.Discard(off, n)
		if unsupported = errors.Is(err, device.ErrUnsupported); unsupported {
			return nil
		}
		return err
	})
	if unsupported {
		return device.ErrUnsupported
	}
	return err
}
