package directory

import (
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
		ReadDirPref: 64 << 10, MaxFileSize: math.MaxInt64, TimeDelta: nfs.Time{Nanoseconds: 1},
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
