package directory

import (
	"errors"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// making is what CREATE, MKDIR, SYMLINK and MKNOD have in common.
type making struct {
	c     *nfs.Caller
	where *nfs.DirOp
	attr  *nfs.SetAttr            // nil: none
	make  func(dirFD int) error   // makes it, with c's permissions
	old   func(old *object) error // if not nil, says whether what has the name already will do
	after func(o *object) error   // if not nil, is called for what was made
}

// mode is that of something new.
func (m *making) mode() uint32 {
	if m.attr == nil {
		return 0
	}
	return m.attr.Mode.Value & 0o7777
}

// makeObject makes an object, durably.
func (d *Directory) makeObject(m *making, r *nfs.CreateResult) error {
	*r = nfs.CreateResult{}
	dir, err := d.openDir(m.where.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	o, err := d.makeLocked(m, dir, r)
	if err != nil {
		return err
	}
	defer o.close()
	if err := d.settle(o, r.Object.Value); err != nil {
		return err
	}
	return unix.Fsync(dir.fd)
}

// makeLocked makes the object and tells about it.
func (d *Directory) makeLocked(m *making, dir *object, r *nfs.CreateResult) (o *object, err error) {
	defer d.stripes.lock(dir, dir)()
	err = d.change(dir, &r.DirWcc, func() error {
		if err := checkName(m.where.Name); err != nil {
			return err
		}
		if isDots(m.where.Name) {
			return nfs.ErrExist
		}
		o, err = d.makeIn(m, dir, &r.DirWcc)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.Attr = d.afresh(o)
	if r.Object.Value, err = d.handleOf(o.fd); err != nil {
		o.close()
		return nil, err
	}
	r.Object.Follows = true
	return o, nil
}

// makeIn makes the object with its attributes, or nothing.
func (d *Directory) makeIn(m *making, dir *object, w *nfs.WccData) (*object, error) {
	err := d.threads.as(m.c, func() error { return m.make(dir.fd) })
	if errors.Is(err, unix.EEXIST) && m.old != nil {
		return d.taken(m, dir)
	}
	if err != nil {
		return nil, err
	}
	stamp(dir, w)
	o, err := dir.child(m.where.Name)
	if err == nil {
		if err = d.finish(m, dir, o); err != nil {
			o.close()
		}
	}
	if err != nil {
		d.unmake(dir, m.where.Name)
		return nil, err
	}
	return o, nil
}

// taken opens what has the name already, if that will do. c must be able to look it up.
func (d *Directory) taken(m *making, dir *object) (*object, error) {
	o, err := d.named(m.c, dir, m.where.Name)
	if err != nil {
		return nil, err
	}
	if err := m.old(o); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// finish gives a new object what the call that made it couldn't.
func (d *Directory) finish(m *making, dir, o *object) error {
	if m.after != nil {
		return m.after(o)
	}
	rest := *m.attr
	rest.Mode, rest.Size = nfs.Optional[uint32]{}, nfs.Optional[uint64]{}
	if err := d.unmask(m, dir, o); err != nil {
		return err
	}
	return d.set(m.c, o, nil, &rest)
}

// unmask gives an object the bits of its mode that the umask of this process took: the client's has been applied there. Where the directory
// has a default ACL that counts instead of an umask.
func (d *Directory) unmask(m *making, dir, o *object) error {
	missing := m.mode() &^ o.stat.Mode & 0o777
	if missing == 0 || o.is(unix.S_IFLNK) {
		return nil
	}
	if _, err := unix.Fgetxattr(dir.fd, "system.posix_acl_default", nil); err == nil {
		return nil
	}
	return d.threads.as(m.c, func() error { return unix.Chmod(o.path(), o.stat.Mode&0o7777|missing) })
}

// unmake takes back what didn't get its attributes.
func (d *Directory) unmake(dir *object, name string) {
	if errors.Is(unix.Unlinkat(dir.fd, name, 0), unix.EISDIR) {
		_ = unix.Unlinkat(dir.fd, name, unix.AT_REMOVEDIR)
	}
}
