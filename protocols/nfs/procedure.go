package nfs

import "fmt"

// Program and Version are what ONC RPC knows NFS version 3 by.
const (
	Program = 100003
	Version = 3
)

// Procedure is the number of a procedure (RFC 1813 3.3).
type Procedure uint32

const (
	ProcNull Procedure = iota
	ProcGetAttr
	ProcSetAttr
	ProcLookup
	ProcAccess
	ProcReadLink
	ProcRead
	ProcWrite
	ProcCreate
	ProcMkdir
	ProcSymlink
	ProcMknod
	ProcRemove
	ProcRmdir
	ProcRename
	ProcLink
	ProcReadDir
	ProcReadDirPlus
	ProcFSStat
	ProcFSInfo
	ProcPathConf
	ProcCommit
	Procedures // how many there are
)

var procedureNames = [Procedures]string{"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR",
	"SYMLINK", "MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT"}

func (p Procedure) String() string {
	if p < Procedures {
		return procedureNames[p]
	}
	return fmt.Sprintf("procedure %d", uint32(p))
}

// Idempotent says whether a call whose outcome is unknown may simply be sent again: a second execution answers as the first would
// have, and does no harm even if others changed something in between. WRITE counts as the RFC counts it: the same bytes go to the same
// place; who writes there from elsewhere meanwhile has to be kept in order by the caller.
func (p Procedure) Idempotent() bool {
	switch p {
	case ProcSetAttr, ProcCreate, ProcMkdir, ProcSymlink, ProcMknod, ProcRemove, ProcRmdir, ProcRename, ProcLink:
		return false
	}
	return p < Procedures
}
