package file

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// sentinels says what the kernel's errors mean; what isn't here (EIO above all) is a medium error.
var sentinels = map[unix.Errno]error{
	unix.ENOSPC: cachecore.ErrNoSpace, unix.EDQUOT: cachecore.ErrNoSpace,
	unix.EROFS: cachecore.ErrReadOnly, unix.EPERM: cachecore.ErrReadOnly,
	unix.ENODEV: cachecore.ErrUnavailable, unix.ENXIO: cachecore.ErrUnavailable, unix.ESTALE: cachecore.ErrUnavailable,
	unix.ENOMEDIUM: cachecore.ErrUnavailable, unix.ENOTCONN: cachecore.ErrUnavailable, unix.EHOSTDOWN: cachecore.ErrUnavailable,
	unix.ENOENT:     cachecore.ErrUnavailable,
	unix.EOPNOTSUPP: cachecore.ErrUnsupported, unix.ENOSYS: cachecore.ErrUnsupported, unix.ENOTTY: cachecore.ErrUnsupported,
}

// classify puts the sentinel of cachecore, where there is one, before the kernel's error.
func classify(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		if sentinel, known := sentinels[errno]; known {
			return fmt.Errorf("%w: %w", sentinel, err)
		}
	}
	return err
}

// refusedWhole are the errors by which the kernel says that it didn't begin.
func refusedWhole(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.EOPNOTSUPP)
}

// writeFailed classifies the error of a write of which done bytes were answered. Direct I/O reports an error though other parts of
// the same call may have landed, so the outcome is unknown even with done = 0 (PROTOCOL E3).
func writeFailed(err error, done int) error {
	if done == 0 && refusedWhole(err) {
		return classify(err)
	}
	return fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, classify(err))
}
