package directory

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) create(c *nfs.Caller, a *nfs.CreateArgs, r *nfs.CreateResult) error {
	m := making{c: c, where: &a.Where, attr: &a.Attr}
	resize := a.Mode == nfs.Unchecked && a.Attr.Size.Follows
	switch a.Mode {
	case nfs.Unchecked:
		m.old = onlyRegular
	case nfs.Exclusive:
		m.attr = &nfs.SetAttr{}
		m.old = func(old *object) error { return sealedWith(old, a.Verifier) }
		m.after = func(o *object) error { return d.seal(o, a.Verifier) }
	case nfs.Guarded:
		resize = a.Attr.Size.Value > 0
	}
	m.make = func(dirFD int) error {
		how := unix.OpenHow{Flags: unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_CLOEXEC, Mode: uint64(m.mode())}
		fd, err := unix.Openat2(dirFD, a.Where.Name, &how)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	if err := d.makeObject(&m, r); err != nil || !resize {
		return err
	}
	return d.resize(c, r, a.Attr.Size.Value)
}

// resize gives a file its size once the directory is unlocked, since the file has a lock of its own. A new one is left, empty, if that fails.
func (d *Directory) resize(c *nfs.Caller, r *nfs.CreateResult, size uint64) error {
	var w nfs.WccResult
	a := nfs.SetAttrArgs{Object: r.Object.Value, Attr: nfs.SetAttr{Size: nfs.Some(size)}}
	if err := d.setAttr(c, &a, &w); err != nil {
		return err
	}
	r.Attr = w.Wcc.After
	return nil
}

func onlyRegular(old *object) error {
	if !old.is(unix.S_IFREG) {
		return nfs.ErrExist
	}
	return nil
}

// sealOf is where the verifier of an exclusive CREATE is kept: in the times, until the client sets them. A bit is left out of each, as
// not every file system has it.
func sealOf(v nfs.Verifier) (atime, mtime int64) {
	const mask = 1<<31 - 1
	return int64(binary.BigEndian.Uint32(v[:]) & mask), int64(binary.BigEndian.Uint32(v[4:]) & mask)
}

func (d *Directory) seal(o *object, v nfs.Verifier) error {
	atime, mtime := sealOf(v)
	return unix.UtimesNanoAt(o.fd, "", []unix.Timespec{{Sec: atime}, {Sec: mtime}}, unix.AT_EMPTY_PATH)
}

// sealedWith says whether a file was made by the same exclusive CREATE.
func sealedWith(old *object, v nfs.Verifier) error {
	atime, mtime := sealOf(v)
	if !old.is(unix.S_IFREG) || old.stat.Atim.Sec != atime || old.stat.Mtim.Sec != mtime {
		return nfs.ErrExist
	}
	return nil
}
