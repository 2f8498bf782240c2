package directory

import (
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) setAttr(c *nfs.Caller, a *nfs.SetAttrArgs, r *nfs.WccResult) error {
	*r = nfs.WccResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	if err := d.setAttrLocked(c, o, a, &r.Wcc); err != nil {
		return err
	}
	return d.settle(o, a.Object)
}

func (d *Directory) setAttrLocked(c *nfs.Caller, o *object, a *nfs.SetAttrArgs, w *nfs.WccData) error {
	defer d.stripes.lock(o, o)()
	return d.change(o, w, func() error {
		if a.Guard.Follows && a.Guard.Value != timeOf(o.stat.Ctim) {
			return nfs.ErrNotSync
		}
		return d.set(c, o, a.Object, &a.Attr)
	})
}

// set sets attributes of an object, the ones most likely to be refused first: the kernel has no call for all, so some may be set though
// another isn't. h may be nil if the size is not among them.
func (d *Directory) set(c *nfs.Caller, o *object, h nfs.Handle, a *nfs.SetAttr) error {
	if a.Size.Follows {
		if err := d.setSize(c, o, h, a.Size.Value); err != nil {
			return err
		}
	}
	err := d.threads.as(c, func() error {
		if err := o.setOwner(a); err != nil {
			return err
		}
		return o.setMode(a)
	})
	if err != nil {
		return err
	}
	return d.setTimes(c, o, a)
}

func (d *Directory) setSize(c *nfs.Caller, o *object, h nfs.Handle, size uint64) error {
	switch {
	case o.is(unix.S_IFDIR):
		return nfs.ErrIsDir
	case !o.is(unix.S_IFREG):
		return nfs.ErrInval
	case size > math.MaxInt64:
		return nfs.ErrFBig
	}
	f, now, err := d.regular(h, true)
	if err != nil {
		return err
	}
	defer d.files.put(f)
	return d.threads.as(c, func() error {
		if err := mayWrite(c, now); err != nil {
			return err
		}
		defer f.syncs.unstable.Store(true)
		return unix.Ftruncate(f.fd, int64(size))
	})
}

func (o *object) setOwner(a *nfs.SetAttr) error {
	uid, gid := -1, -1
	if a.UID.Follows {
		uid = int(a.UID.Value)
	}
	if a.GID.Follows {
		gid = int(a.GID.Value)
	}
	switch {
	case uid == -1 && gid == -1:
		return nil
	case a.UID.Follows && a.UID.Value == noID, a.GID.Follows && a.GID.Value == noID: // to the kernel: as it is
		return nfs.ErrInval
	}
	return unix.Fchownat(o.fd, "", uid, gid, unix.AT_EMPTY_PATH)
}

func (o *object) setMode(a *nfs.SetAttr) error {
	if !a.Mode.Follows {
		return nil
	}
	return unix.Chmod(o.path(), a.Mode.Value&0o7777)
}

// setTimes sets the times. Who may WRITE may set one of them to the server's, for which the kernel wants the owner unless it is both.
func (d *Directory) setTimes(c *nfs.Caller, o *object, a *nfs.SetAttr) error {
	if !isTime(&a.Atime) || !isTime(&a.Mtime) {
		return nfs.ErrInval
	}
	times := []unix.Timespec{timespec(&a.Atime), timespec(&a.Mtime)}
	err := d.threads.as(c, func() error {
		if times[0].Nsec == unix.UTIME_OMIT && times[1].Nsec == unix.UTIME_OMIT {
			return nil
		}
		err := unix.UtimesNanoAt(o.fd, "", times, unix.AT_EMPTY_PATH)
		if errors.Is(err, unix.EPERM) && a.Atime.How != nfs.SetToClientTime && a.Mtime.How != nfs.SetToClientTime && o.may(unix.W_OK) == nil {
			return errAsRoot
		}
		return err
	})
	if errors.Is(err, errAsRoot) {
		return unix.UtimesNanoAt(o.fd, "", times, unix.AT_EMPTY_PATH)
	}
	return err
}

var errAsRoot = errors.New("root may do it")

// isTime says whether a client's nanoseconds are some: UTIME_NOW and UTIME_OMIT are none.
func isTime(t *nfs.SetTime) bool {
	return t.How != nfs.SetToClientTime || t.Time.Nanoseconds < uint32(time.Second)
}

func timespec(t *nfs.SetTime) unix.Timespec {
	switch t.How {
	case nfs.SetToServerTime:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	case nfs.SetToClientTime:
		return unix.Timespec{Sec: int64(t.Time.Seconds), Nsec: int64(t.Time.Nanoseconds)}
	}
	return unix.Timespec{Nsec: unix.UTIME_OMIT}
}

// settle makes the attributes of an object durable.
func (d *Directory) settle(o *object, h nfs.Handle) error {
	switch {
	case o.is(unix.S_IFREG):
		f, err := d.files.get(h, false)
		if err != nil {
			return err
		}
		defer d.files.put(f)
		return d.files.sync.file(f, true)
	case o.is(unix.S_IFDIR):
		dir, err := d.openDir(h)
		if err != nil {
			return err
		}
		defer dir.close()
		return unix.Fsync(dir.fd)
	}
	return unix.Syncfs(d.rootFD) // what else there is can't be opened
}
