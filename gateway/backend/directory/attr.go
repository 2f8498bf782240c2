package directory

import (
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

var types = map[uint32]nfs.FileType{
	unix.S_IFREG: nfs.Regular, unix.S_IFDIR: nfs.Directory, unix.S_IFBLK: nfs.BlockDevice, unix.S_IFCHR: nfs.CharacterDevice,
	unix.S_IFLNK: nfs.SymbolicLink, unix.S_IFSOCK: nfs.Socket, unix.S_IFIFO: nfs.FIFO,
}

func (d *Directory) attrOf(st *unix.Stat_t) nfs.Attr {
	a := nfs.Attr{
		Type: types[st.Mode&unix.S_IFMT], Mode: st.Mode & 0o7777, Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid,
		Size: uint64(st.Size), Used: uint64(st.Blocks) * 512, FSID: d.fsid, FileID: st.Ino,
		Atime: timeOf(st.Atim), Mtime: timeOf(st.Mtim), Ctime: timeOf(st.Ctim),
	}
	if a.Type == nfs.BlockDevice || a.Type == nfs.CharacterDevice {
		a.Rdev = nfs.Device{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)}
	}
	return a
}

// timeOf is a time as the wire has it, between 1970 and 2106.
func timeOf(t unix.Timespec) nfs.Time {
	return nfs.Time{Seconds: uint32(t.Sec), Nanoseconds: uint32(t.Nsec)}
}

// postOp are the attributes that an object had when it was last looked at.
func (d *Directory) postOp(o *object) nfs.PostOpAttr { return nfs.Some(d.attrOf(&o.stat)) }

func preOp(o *object) nfs.WccAttr {
	return nfs.WccAttr{Size: uint64(o.stat.Size), Mtime: timeOf(o.stat.Mtim), Ctime: timeOf(o.stat.Ctim)}
}

// afresh are the attributes of an object now.
func (d *Directory) afresh(o *object) nfs.PostOpAttr {
	if o.look() != nil {
		return nfs.PostOpAttr{}
	}
	return d.postOp(o)
}

// change runs work, which changes o, and notes in w what o was before and after. The object's stripe is locked.
func (d *Directory) change(o *object, w *nfs.WccData, work func() error) error {
	if err := o.look(); err != nil {
		return err
	}
	w.Before = nfs.Some(preOp(o))
	err := work()
	w.After = d.afresh(o)
	return err
}

// stamp sees to it that a change of the names in a directory shows in its times. On some file systems (tmpfs) a second change in a tick of the
// clock doesn't; asking for the time itself makes Linux 6.13 look at a finer clock.
func stamp(dir *object, w *nfs.WccData) {
	if dir.look() == nil && timeOf(dir.stat.Ctim) == w.Before.Value.Ctime {
		_ = unix.UtimesNanoAt(dir.fd, "", []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}, unix.AT_EMPTY_PATH)
	}
}
