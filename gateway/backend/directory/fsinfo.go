package directory

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) fsStat(a *nfs.HandleArgs, r *nfs.FSStatResult) error {
	*r = nfs.FSStatResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.postOp(o)
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.rootFD, &st); err != nil {
		return err
	}
	block := uint64(st.Frsize)
	r.TotalBytes, r.FreeBytes, r.AvailBytes = st.Blocks*block, st.Bfree*block, st.Bavail*block
	r.TotalFiles, r.FreeFiles, r.AvailFiles = st.Files, st.Ffree, st.Ffree
	return nil
}

func (d *Directory) fsInfo(a *nfs.HandleArgs, r *nfs.FSInfoResult) error {
	*r = nfs.FSInfoResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	*r = nfs.FSInfoResult{
		Attr:    d.postOp(o),
		ReadMax: maxTransfer, ReadPref: maxTransfer, ReadMult: 4096,
		WriteMax: maxTransfer, WritePref: maxTransfer, WriteMult: 4096,
		ReadDirPref: 64 << 10, MaxFileSize: d.longest, TimeDelta: nfs.Time{Nanoseconds: 1},
		Properties: nfs.HardLinks | nfs.SymbolicLinks | nfs.Homogeneous | nfs.CanSetTime,
	}
	return nil
}

// pathConf answers for Linux in general: 255 links there are at least.
func (d *Directory) pathConf(a *nfs.HandleArgs, r *nfs.PathConfResult) error {
	*r = nfs.PathConfResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	*r = nfs.PathConfResult{Attr: d.postOp(o), LinkMax: 255, NameMax: nfs.MaxName, NoTrunc: true, ChownRestricted: true, CasePreserving: true}
	return nil
}

// longestFile is how long a file can be there: what is said to be possible is answered by a write log before the kernel is asked. The kernel tells by a file
// without a name; where it makes none, or says something else, any length may be.
func (d *Directory) longestFile() uint64 {
	most := uint64(math.MaxInt64)
	var limit unix.Rlimit // to go beyond it is a signal
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err == nil {
		most = min(most, limit.Cur)
	}
	fd, err := unix.Openat(d.rootFD, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return most
	}
	defer unix.Close(fd)
	can := func(size uint64) bool {
		if size > most || err != nil {
			return false
		}
		cut := unix.Ftruncate(fd, int64(size))
		if !errors.Is(cut, unix.EFBIG) && !errors.Is(cut, unix.EINVAL) {
			err = cut
		}
		return cut == nil
	}
	var size uint64
	for bit := uint64(1 << 62); bit > 0; bit >>= 1 {
		if can(size | bit) {
			size |= bit
		}
	}
	if err != nil { // it says nothing
		return most
	}
	return size
}
