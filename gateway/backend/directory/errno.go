package directory

import (
	"errors"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// statuses says what the kernel's errors are to a client. What isn't here is NFS3ERR_IO.
var statuses = map[unix.Errno]nfs.Status{
	unix.EPERM: nfs.ErrPerm, unix.ENOENT: nfs.ErrNoEnt, unix.EIO: nfs.ErrIO, unix.ENXIO: nfs.ErrNXIO, unix.EACCES: nfs.ErrAcces,
	unix.EEXIST: nfs.ErrExist, unix.EXDEV: nfs.ErrXDev, unix.ENODEV: nfs.ErrNoDev, unix.ENOTDIR: nfs.ErrNotDir, unix.EISDIR: nfs.ErrIsDir,
	unix.EINVAL: nfs.ErrInval, unix.EOVERFLOW: nfs.ErrInval, unix.ELOOP: nfs.ErrInval,
	unix.EFBIG: nfs.ErrFBig, unix.ENOSPC: nfs.ErrNoSpc, unix.EROFS: nfs.ErrROFS, unix.EMLINK: nfs.ErrMLink,
	unix.ENAMETOOLONG: nfs.ErrNameTooLong, unix.ENOTEMPTY: nfs.ErrNotEmpty, unix.EDQUOT: nfs.ErrDQuot, unix.ESTALE: nfs.ErrStale,
	unix.EOPNOTSUPP: nfs.ErrNotSupp, unix.ENOSYS: nfs.ErrNotSupp,
	unix.EBUSY: nfs.ErrAcces, unix.ETXTBSY: nfs.ErrAcces, // mounted upon, executed: not to be touched
	unix.EMFILE: nfs.ErrJukebox, unix.ENFILE: nfs.ErrJukebox, unix.ENOMEM: nfs.ErrJukebox, unix.EAGAIN: nfs.ErrJukebox, unix.EINTR: nfs.ErrJukebox,
}

// statusOf is what a client is told of an error.
func statusOf(err error) nfs.Status {
	var s nfs.Status
	var errno unix.Errno
	switch {
	case err == nil:
		return nfs.OK
	case errors.As(err, &s):
		return s
	case errors.As(err, &errno):
		if s, known := statuses[errno]; known {
			return s
		}
	}
	return nfs.ErrIO
}

// notPerm tells NFS3ERR_ACCES for EPERM, which RFC 1813 doesn't have among the errors of REMOVE, RMDIR and RENAME. It is that of a
// sticky directory.
func notPerm(err error) error {
	if errors.Is(err, unix.EPERM) {
		return nfs.ErrAcces
	}
	return err
}
