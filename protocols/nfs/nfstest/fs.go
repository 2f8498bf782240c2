package nfstest

import (
	"math"

	"forebay/protocols/nfs"
)

func (m *Mem) fsStat(a *nfs.HandleArgs, r *nfs.FSStatResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	free := m.opts.Capacity - m.mu.pages*pageSize
	files := uint64(math.MaxUint32)
	*r = nfs.FSStatResult{Attr: m.postOp(n), TotalBytes: m.opts.Capacity, FreeBytes: free, AvailBytes: free, TotalFiles: files,
		FreeFiles: files - uint64(len(m.mu.nodes)), AvailFiles: files - uint64(len(m.mu.nodes))}
	return nfs.OK
}

func (m *Mem) fsInfo(a *nfs.HandleArgs, r *nfs.FSInfoResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	o := &m.opts
	*r = nfs.FSInfoResult{Attr: m.postOp(n), ReadMax: o.ReadMax, ReadPref: o.ReadMax, ReadMult: pageSize, WriteMax: o.WriteMax,
		WritePref: o.WriteMax, WriteMult: pageSize, ReadDirPref: 64 << 10, MaxFileSize: maxFileSize, TimeDelta: nfs.Time{Nanoseconds: 1},
		Properties: nfs.HardLinks | nfs.SymbolicLinks | nfs.Homogeneous | nfs.CanSetTime}
	return nfs.OK
}

func (m *Mem) pathConf(a *nfs.HandleArgs, r *nfs.PathConfResult) nfs.Status {
	n, s := m.find(a.Object)
	if s != nfs.OK {
		return s
	}
	*r = nfs.PathConfResult{Attr: m.postOp(n), LinkMax: math.MaxUint32, NameMax: nfs.MaxName, NoTrunc: true, ChownRestricted: true,
		CasePreserving: true}
	return nfs.OK
}
