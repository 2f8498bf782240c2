package mount

import (
	"fmt"

	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// Program and versions are what ONC RPC knows MOUNT by. Version 3 is for NFS version 3.
const (
	Program     = 100005
	LowVersion  = 1
	Version     = 3
	handleOfOld = 32 // bytes of a handle before version 3
)

// Its procedures.
const (
	ProcNull    = 0
	ProcMnt     = 1
	ProcDump    = 2
	ProcUmnt    = 3
	ProcUmntAll = 4
	ProcExport  = 5
)

// Limits of the wire.
const (
	maxPath    = 1024
	maxName    = 255
	maxHandle  = 64
	maxFlavors = 64
)

// Status is a mountstat3. As an error it is what MNT failed with; OK is none.
type Status uint32

const (
	OK             Status = 0
	ErrPerm        Status = 1
	ErrNoEnt       Status = 2
	ErrIO          Status = 5
	ErrAcces       Status = 13
	ErrNotDir      Status = 20
	ErrInval       Status = 22
	ErrNameTooLong Status = 63
	ErrNotSupp     Status = 10004
	ErrServerFault Status = 10006
)

var statusNames = map[Status]string{OK: "MNT3_OK", ErrPerm: "MNT3ERR_PERM", ErrNoEnt: "MNT3ERR_NOENT", ErrIO: "MNT3ERR_IO",
	ErrAcces: "MNT3ERR_ACCES", ErrNotDir: "MNT3ERR_NOTDIR", ErrInval: "MNT3ERR_INVAL", ErrNameTooLong: "MNT3ERR_NAMETOOLONG",
	ErrNotSupp: "MNT3ERR_NOTSUPP", ErrServerFault: "MNT3ERR_SERVERFAULT"}

func (s Status) Error() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("MOUNT status %d", uint32(s))
}

// Path is a dirpath: the argument of MNT and UMNT. One that is too long fails with ErrNameTooLong.
type Path string

func (p Path) Encode(e *xdr.Encoder) { e.String(string(p)) }

func (p *Path) Decode(d *xdr.Decoder) {
	b := d.Opaque(len(d.Rest()))
	if len(b) > maxPath {
		d.Fail(ErrNameTooLong)
		b = nil
	}
	*p = Path(b)
}

// MntResult is the result of MNT, version 3. All but Status counts with OK.
type MntResult struct {
	Status  Status
	Handle  []byte // a decoded one is a view
	Flavors []rpc.Flavor
}

func (r *MntResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	if r.Status != OK {
		return
	}
	e.Opaque(r.Handle)
	e.Uint32(uint32(len(r.Flavors)))
	for _, f := range r.Flavors {
		e.Uint32(uint32(f))
	}
}

func (r *MntResult) Decode(d *xdr.Decoder) {
	*r = MntResult{Status: Status(d.Uint32())}
	if r.Status != OK {
		return
	}
	r.Handle = d.Opaque(maxHandle)
	for range d.Count(maxFlavors, 4) {
		r.Flavors = append(r.Flavors, rpc.Flavor(d.Uint32()))
	}
}

// OldMntResult is the result of MNT before version 3 (fhstatus). Its handle has 32 bytes.
type OldMntResult struct {
	Status Status // an errno
	Handle [handleOfOld]byte
}

func (r *OldMntResult) Encode(e *xdr.Encoder) {
	e.Uint32(uint32(r.Status))
	if r.Status == OK {
		e.Fixed(r.Handle[:])
	}
}

func (r *OldMntResult) Decode(d *xdr.Decoder) {
	*r = OldMntResult{Status: Status(d.Uint32())}
	if r.Status == OK {
		copy(r.Handle[:], d.Fixed(handleOfOld))
	}
}

// old is a result as a client of an older version takes it: a handle that is too long can't be told, and there are fewer statuses.
func (r *MntResult) old() *OldMntResult {
	o := &OldMntResult{Status: r.Status}
	if r.Status >= ErrNotSupp || len(r.Handle) > handleOfOld {
		o.Status = ErrIO
	}
	copy(o.Handle[:], r.Handle)
	return o
}
