package file

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// ReadAt reads into p directly if p is aligned, else through a bounce buffer. It allocates nothing.
func (a *Array) ReadAt(ctx context.Context, p []byte, off int64) error {
	if err := a.begin(ctx, off, int64(len(p))); err != nil {
		return err
	}
	if a.direct.aligned(p) {
		return a.read(ctx, p, off)
	}
	buffer, err := a.bounce.get(ctx)
	if err != nil {
		return err
	}
	defer a.bounce.put(buffer)
	for len(p) > 0 {
		part := buffer[:min(len(p), len(buffer))]
		if err := a.read(ctx, part, off); err != nil {
			return err
		}
		n := copy(p, part)
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (a *Array) read(ctx context.Context, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pread(a.fd, p, off)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("read %s at %d: %w", a.path, off, classify(err))
		case n == 0:
			return fmt.Errorf("%w: %s ends at %d, it has been cut", cachecore.ErrUnavailable, a.path, off)
		}
		p, off = p[max(n, 0):], off+int64(max(n, 0))
		if len(p) > 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// WriteAt writes from p directly if p is aligned, else through a bounce buffer.
func (a *Array) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	if err := a.begin(ctx, off, int64(len(p))); err != nil {
		return err
	}
	if o.FUA {
		if err := a.flush.brokenBy(); err != nil {
			return err
		}
	}
	if a.direct.aligned(p) {
		return a.write(ctx, p, off, o.FUA, 0)
	}
	buffer, err := a.bounce.get(ctx)
	if err != nil {
		return err
	}
	defer a.bounce.put(buffer)
	for done := 0; done < len(p); {
		n := copy(buffer, p[done:])
		if err := a.write(ctx, buffer[:n], off+int64(done), o.FUA, done); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// write writes a part of a request of which done bytes were written before.
func (a *Array) write(ctx context.Context, p []byte, off int64, fua bool, done int) error {
	for len(p) > 0 {
		if done > 0 && ctx.Err() != nil {
			return fmt.Errorf("write %s at %d: %w: %w", a.path, off, cachecore.ErrUnknownOutcome, ctx.Err())
		}
		n, err := a.pwrite(p, off, fua)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = unix.EIO // a write of something wrote nothing: no end to wait for
		}
		if err != nil {
			failed := fmt.Errorf("write %s at %d: %w", a.path, off, writeFailed(err, done))
			if fua && a.direct.offset == 0 {
				a.flush.breakBy(failed) // the error may have been that of other writes' pages, and is told only once
			}
			return failed
		}
		p, off, done = p[n:], off+int64(n), done+n
	}
	return nil
}

func (a *Array) pwrite(p []byte, off int64, fua bool) (int, error) {
	if !fua {
		return unix.Pwrite(a.fd, p, off)
	}
	return unix.Pwritev2(a.fd, [][]byte{p}, off, unix.RWF_DSYNC)
}

// begin holds a request against the array's bounds before anything is done.
func (a *Array) begin(ctx context.Context, off, length int64) error {
	switch {
	case off < 0 || length < 0 || off > a.info.Size || length > a.info.Size-off:
		return fmt.Errorf("%w: %d bytes at %d of %s, which has %d", cachecore.ErrOutOfRange, length, off, a.path, a.info.Size)
	case off%int64(a.info.LogicalBlock) != 0 || length%int64(a.info.LogicalBlock) != 0:
		return fmt.Errorf("%d bytes at %d of %s are not whole blocks of %d", length, off, a.path, a.info.LogicalBlock)
	}
	return ctx.Err()
}
