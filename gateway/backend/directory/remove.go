package directory

import (
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) remove(c *nfs.Caller, a *nfs.DirOp, r *nfs.WccResult) error {
	return d.unlink(c, a, r, 0)
}

func (d *Directory) rmdir(c *nfs.Caller, a *nfs.DirOp, r *nfs.WccResult) error {
	return d.unlink(c, a, r, unix.AT_REMOVEDIR)
}

func (d *Directory) unlink(c *nfs.Caller, a *nfs.DirOp, r *nfs.WccResult, flags int) error {
	*r = nfs.WccResult{}
	dir, err := d.openDir(a.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	if err := d.unlinkLocked(c, dir, a.Name, &r.Wcc, flags); err != nil {
		return err
	}
	return unix.Fsync(dir.fd)
}

func (d *Directory) unlinkLocked(c *nfs.Caller, dir *object, name string, w *nfs.WccData, flags int) error {
	defer d.stripes.lock(dir, dir)()
	return d.change(dir, w, func() error {
		if err := checkRemovable(name); err != nil {
			return err
		}
		victim := d.victim(dir, name)
		defer victim.end()
		err := d.threads.as(c, func() error { return unix.Unlinkat(dir.fd, name, flags) })
		if err == nil {
			stamp(dir, w)
		}
		return notPerm(err)
	})
}

// checkRemovable refuses what can't be the name of an object that is removed or renamed.
func checkRemovable(name string) error {
	if isDots(name) {
		return nfs.ErrInval
	}
	return checkName(name)
}

// victim is an object that may lose its last name: then it must not be kept open.
type victim struct {
	d *Directory
	*object
}

// victim looks at what has a name that is about to be taken away.
func (d *Directory) victim(dir *object, name string) victim {
	o, _ := dir.child(name) // nothing, maybe
	return victim{d, o}
}

func (v victim) is(other victim) bool {
	return v.object != nil && other.object != nil && v.same(&other.stat)
}

func (v victim) end() {
	if v.object == nil {
		return
	}
	defer v.close()
	if v.look() != nil || v.stat.Nlink > 0 || !v.object.is(unix.S_IFREG) {
		return
	}
	if h, err := v.d.handleOf(v.fd); err == nil {
		v.d.files.forget(h)
	}
}
