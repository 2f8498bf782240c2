package directory

import (
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) mkdir(c *nfs.Caller, a *nfs.MkdirArgs, r *nfs.CreateResult) error {
	m := making{c: c, where: &a.Where, attr: &a.Attr}
	m.make = func(dirFD int) error { return unix.Mkdirat(dirFD, a.Where.Name, m.mode()) }
	return d.makeObject(&m, r)
}

func (d *Directory) symlink(c *nfs.Caller, a *nfs.SymlinkArgs, r *nfs.CreateResult) error {
	m := making{c: c, where: &a.Where, attr: &a.Attr}
	m.make = func(dirFD int) error {
		if a.Path == "" {
			return nfs.ErrInval
		}
		return unix.Symlinkat(a.Path, dirFD, a.Where.Name)
	}
	return d.makeObject(&m, r)
}

var formats = map[nfs.FileType]uint32{
	nfs.BlockDevice: unix.S_IFBLK, nfs.CharacterDevice: unix.S_IFCHR, nfs.Socket: unix.S_IFSOCK, nfs.FIFO: unix.S_IFIFO,
}

func (d *Directory) mknod(c *nfs.Caller, a *nfs.MknodArgs, r *nfs.CreateResult) error {
	*r = nfs.CreateResult{}
	format, known := formats[a.Type]
	device := a.Type == nfs.BlockDevice || a.Type == nfs.CharacterDevice
	switch {
	case !known:
		return nfs.ErrBadType
	case device && c.UID != 0: // the kernel lets users make one, 0:0
		return nfs.ErrPerm
	case device && (a.Device.Major >= 1<<12 || a.Device.Minor >= 1<<20): // Linux has none
		return nfs.ErrInval
	}
	m := making{c: c, where: &a.Where, attr: &a.Attr}
	m.make = func(dirFD int) error {
		var number uint64
		if device {
			number = unix.Mkdev(a.Device.Major, a.Device.Minor)
		}
		return unix.Mknodat(dirFD, a.Where.Name, format|m.mode(), int(number))
	}
	return d.makeObject(&m, r)
}
