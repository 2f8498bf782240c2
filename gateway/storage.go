package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/cachecore/volume"
	"forebay/protocols/scsi"
)

// storage is a volume as a device server's scsi.Store. Until the array has been attached for the first time there is no volume, and
// the unit lets nothing through.
type storage struct{ volume atomic.Pointer[volume.Volume] }

func (s *storage) ReadNow(d *scsi.Data, off int64, n int) bool {
	v := s.volume.Load()
	return v != nil && v.ReadNow(d, off, n)
}

func (s *storage) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	return s.with(func(v *volume.Volume) error { return v.Read(ctx, d, off, n) })
}

func (s *storage) Write(ctx context.Context, p []byte, off int64, fua bool) error {
	return s.with(func(v *volume.Volume) error { return v.Write(ctx, p, off, fua) })
}

// LaunchWrite implements scsi.WriteLauncher.
func (s *storage) LaunchWrite(ctx context.Context, p []byte, off int64, done func(error)) bool {
	v := s.volume.Load()
	return v != nil && v.Launch(ctx, p, off, func(err error) { done(inSCSI(err)) })
}

// KickWrites implements scsi.WriteLauncher.
func (s *storage) KickWrites() {
	if v := s.volume.Load(); v != nil {
		v.Kick()
	}
}

func (s *storage) Flush(ctx context.Context) error {
	return s.with(func(v *volume.Volume) error { return v.Flush(ctx) })
}

func (s *storage) Discard(ctx context.Context, off, n int64, mode scsi.DiscardMode) error {
	return s.with(func(v *volume.Volume) error {
		if mode == scsi.Zero {
			return v.WriteZeroes(ctx, off, n)
		}
		return v.Discard(ctx, off, n, mode == scsi.UnmapZero)
	})
}

func (s *storage) with(call func(*volume.Volume) error) error {
	v := s.volume.Load()
	if v == nil {
		return scsi.ErrNotReady
	}
	return inSCSI(call(v))
}

// inSCSI puts what an array's error means to an initiator before it. What has no meaning of its own is a medium error.
func inSCSI(err error) error {
	for _, m := range []struct{ array, device error }{
		{cachecore.ErrNoSpace, scsi.ErrNoSpace},
		{cachecore.ErrReadOnly, scsi.ErrWriteProtected},
		{cachecore.ErrUnavailable, scsi.ErrNotReady},
	} {
		if errors.Is(err, m.array) {
			return fmt.Errorf("%w: %w", m.device, err)
		}
	}
	return err
}
