package nfs

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs/xdr"
)

// Caller is on whose behalf a procedure is executed.
type Caller struct {
	UID, GID uint32
	GIDs     []uint32 // supplementary groups, 16 at most
}

// Message is the arguments or the result of a procedure: a pointer.
type Message interface {
	Encode(*xdr.Encoder)
	Decode(*xdr.Decoder)
}

// FileSystem executes procedures: a filer's, or those of a local folder. Many goroutines use it.
type FileSystem interface {
	// Do executes any procedure but NULL on behalf of c. a and r are the procedure's arguments and result, as NewMessages makes them. r's
	// Status says how it ended, and r refers to nothing that is the file system's. An error says that there is no answer: ErrAway that
	// it may be asked for again, later; ErrOutcomeUnknown besides that it may have been executed, or may be yet.
	//
	// A READ reads into r.Data, which has a.Count bytes at least, and cuts it to what was read; it may be less than there is. A WRITE may
	// write less than all. a's data is not looked at once Do has returned.
	Do(ctx context.Context, c *Caller, p Procedure, a, r Message) error
}

// The errors of a FileSystem that has no answer.
var (
	ErrAway           = errors.New("file system away")
	ErrOutcomeUnknown = errors.New("whether it was executed is unknown")
)

// NewMessages returns empty arguments and an empty result of a procedure; ProcNull has none.
func NewMessages(p Procedure) (args, result Message) {
	switch p {
	case ProcGetAttr:
		return new(HandleArgs), new(GetAttrResult)
	case ProcSetAttr:
		return new(SetAttrArgs), new(WccResult)
	case ProcLookup:
		return new(DirOp), new(LookupResult)
	case ProcAccess:
		return new(AccessArgs), new(AccessResult)
	case ProcReadLink:
		return new(HandleArgs), new(ReadLinkResult)
	case ProcRead:
		return new(ReadArgs), new(ReadResult)
	case ProcWrite:
		return new(WriteArgs), new(WriteResult)
	case ProcCreate:
		return new(CreateArgs), new(CreateResult)
	case ProcMkdir:
		return new(MkdirArgs), new(CreateResult)
	case ProcSymlink:
		return new(SymlinkArgs), new(CreateResult)
	case ProcMknod:
		return new(MknodArgs), new(CreateResult)
	case ProcRemove, ProcRmdir:
		return new(DirOp), new(WccResult)
	case ProcRename:
		return new(RenameArgs), new(RenameResult)
	case ProcLink:
		return new(LinkArgs), new(LinkResult)
	case ProcReadDir:
		return new(ReadDirArgs), new(ReadDirResult)
	case ProcReadDirPlus:
		return new(ReadDirPlusArgs), new(ReadDirPlusResult)
	case ProcFSStat:
		return new(HandleArgs), new(FSStatResult)
	case ProcFSInfo:
		return new(HandleArgs), new(FSInfoResult)
	case ProcPathConf:
		return new(HandleArgs), new(PathConfResult)
	case ProcCommit:
		return new(CommitArgs), new(CommitResult)
	}
	return nil, nil
}

// StatusOf is where a result says how its procedure ended.
func StatusOf(r Message) *Status {
	switch r := r.(type) {
	case *GetAttrResult:
		return &r.Status
	case *WccResult:
		return &r.Status
	case *LookupResult:
		return &r.Status
	case *AccessResult:
		return &r.Status
	case *ReadLinkResult:
		return &r.Status
	case *ReadResult:
		return &r.Status
	case *WriteResult:
		return &r.Status
	case *CreateResult:
		return &r.Status
	case *RenameResult:
		return &r.Status
	case *LinkResult:
		return &r.Status
	case *ReadDirResult:
		return &r.Status
	case *ReadDirPlusResult:
		return &r.Status
	case *FSStatResult:
		return &r.Status
	case *FSInfoResult:
		return &r.Status
	case *PathConfResult:
		return &r.Status
	case *CommitResult:
		return &r.Status
	}
	panic(fmt.Sprintf("nfs: %T is no result", r))
}
