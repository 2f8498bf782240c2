package directory

import (
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) rename(c *nfs.Caller, a *nfs.RenameArgs, r *nfs.RenameResult) error {
	*r = nfs.RenameResult{}
	from, err := d.openDir(a.From.Dir)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := d.openDir(a.To.Dir)
	if err != nil {
		r.FromDir.After = d.postOp(from)
		return err
	}
	defer to.close()
	if err := d.renameLocked(c, a, from, to, r); err != nil {
		return err
	}
	if err := unix.Fsync(to.fd); err != nil {
		return err
	}
	return unix.Fsync(from.fd)
}

func (d *Directory) renameLocked(c *nfs.Caller, a *nfs.RenameArgs, from, to *object, r *nfs.RenameResult) error {
	defer d.stripes.lock(from, to)()
	return d.change(from, &r.FromDir, func() error {
		return d.change(to, &r.ToDir, func() error {
			for _, name := range [...]string{a.From.Name, a.To.Name} {
				if err := checkRemovable(name); err != nil {
					return err
				}
			}
			source, victim := d.victim(from, a.From.Name), d.victim(to, a.To.Name)
			defer source.end()
			defer victim.end()
			err := d.threads.as(c, func() error { return unix.Renameat(from.fd, a.From.Name, to.fd, a.To.Name) })
			if err == nil && !source.is(victim) { // else nothing is done
				stamp(from, &r.FromDir)
				stamp(to, &r.ToDir)
			}
			return notPerm(err)
		})
	})
}

func (d *Directory) link(c *nfs.Caller, a *nfs.LinkArgs, r *nfs.LinkResult) error {
	*r = nfs.LinkResult{}
	o, err := d.openAny(a.File)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.postOp(o)
	dir, err := d.openDir(a.Link.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	if err := d.linkLocked(c, o, dir, a.Link.Name, r); err != nil {
		return err
	}
	return unix.Fsync(dir.fd)
}

func (d *Directory) linkLocked(c *nfs.Caller, o, dir *object, name string, r *nfs.LinkResult) error {
	defer d.stripes.lock(o, dir)()
	defer func() { r.Attr = d.afresh(o) }()
	return d.change(dir, &r.DirWcc, func() error {
		if err := checkName(name); err != nil {
			return err
		}
		switch {
		case isDots(name):
			return nfs.ErrExist
		case o.is(unix.S_IFDIR):
			return nfs.ErrIsDir
		}
		err := d.threads.as(c, func() error {
			return unix.Linkat(unix.AT_FDCWD, o.path(), dir.fd, name, unix.AT_SYMLINK_FOLLOW)
		})
		if err == nil {
			stamp(dir, &r.DirWcc)
		}
		return err
	})
}
