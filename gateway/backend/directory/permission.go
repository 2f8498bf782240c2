package directory

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// may asks the kernel whether the thread may do something to an object: a set of R_OK, W_OK and X_OK. The wrapper in unix guesses where the
// kernel says EPERM.
func (o *object) may(mode uint32) error {
	var empty [1]byte
	_, _, errno := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(o.fd), uintptr(unsafe.Pointer(&empty[0])), uintptr(mode),
		unix.AT_EACCESS|unix.AT_EMPTY_PATH, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// mayRead says whether c may READ the file. Its owner may; so may who may execute it, as that is how clients load programs.
func (d *Directory) mayRead(c *nfs.Caller, f *object) error {
	if c.UID == f.stat.Uid {
		return nil
	}
	return d.threads.as(c, func() error {
		err := f.may(unix.R_OK)
		if errors.Is(err, unix.EACCES) && f.may(unix.X_OK) == nil {
			return nil
		}
		return err
	})
}

// mayWrite says whether the thread, which acts for c, may WRITE the file or set its size. Its owner may.
func mayWrite(c *nfs.Caller, f *object) error {
	if c.UID == f.stat.Uid {
		return nil
	}
	return f.may(unix.W_OK)
}

// Of the bits of ACCESS, what each takes.
var (
	accessOfDirectory = map[nfs.Access]uint32{
		nfs.AccessRead: unix.R_OK, nfs.AccessLookup: unix.X_OK,
		nfs.AccessModify: unix.W_OK | unix.X_OK, nfs.AccessExtend: unix.W_OK | unix.X_OK, nfs.AccessDelete: unix.W_OK | unix.X_OK,
	}
	accessOfFile = map[nfs.Access]uint32{
		nfs.AccessRead: unix.R_OK, nfs.AccessModify: unix.W_OK, nfs.AccessExtend: unix.W_OK, nfs.AccessExecute: unix.X_OK,
	}
)

func (d *Directory) access(c *nfs.Caller, a *nfs.AccessArgs, r *nfs.AccessResult) error {
	*r = nfs.AccessResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.postOp(o)
	takes := accessOfFile
	if o.is(unix.S_IFDIR) {
		takes = accessOfDirectory
	}
	return d.threads.as(c, func() error {
		for bit, mode := range takes {
			if a.Access&bit != 0 && o.may(mode) == nil {
				r.Access |= bit
			}
		}
		return nil
	})
}
