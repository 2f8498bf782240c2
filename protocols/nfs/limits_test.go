package nfs

import (
	"errors"
	"strings"
	"testing"

	"forebay/protocols/nfs/xdr"
)

func TestALengthBeyondTheLimitIsRefused(t *testing.T) {
	long := strings.Repeat("n", MaxName+1)
	path := strings.Repeat("p", MaxPath+1)
	fh := strings.Repeat("h", MaxHandle+1)
	for _, c := range []struct {
		name string
		into message
		wire []byte
		want error
	}{
		{"a handle", &HandleArgs{}, words(fh), xdr.ErrTooLong},
		{"a directory's handle", &DirOp{}, words(fh, "name"), xdr.ErrTooLong},
		{"a result's handle", &LookupResult{}, words(0, fh, 0, 0), xdr.ErrTooLong},
		{"a name", &DirOp{}, words("dir", long), ErrNameTooLong},
		{"a new name", &RenameArgs{}, words(whereWire, "dir", long), ErrNameTooLong},
		{"a path", &SymlinkArgs{}, words(whereWire, setNone, path), ErrNameTooLong},
		{"a path of a link", &ReadLinkResult{}, words(0, 0, path), ErrNameTooLong},
		{"an entry's name", &ReadDirResult{}, words(0, 0, verf, 1, uint64(1), long, uint64(1), 0, 0), ErrNameTooLong},
		{"a name of 4 GiB", &DirOp{}, words("dir", -1, "name"), xdr.ErrTooLong},
		{"data shorter than its count", &WriteArgs{}, words("fh", uint64(0), 6, 0, "hello"), xdr.ErrInvalid},
		{"data longer than its count", &WriteArgs{}, words("fh", uint64(0), 4, 0, "hello"), xdr.ErrInvalid},
		{"data of a READ that is not its count", &ReadResult{}, words(0, 0, 4, 0, "hello"), xdr.ErrInvalid},
		{"stability", &WriteArgs{}, words("fh", uint64(0), 0, 3, ""), xdr.ErrInvalid},
		{"a file type", &GetAttrResult{}, words(0, 8, attrWire[4:]), xdr.ErrInvalid},
		{"no file type", &GetAttrResult{}, words(0, 0, attrWire[4:]), xdr.ErrInvalid},
		{"a create mode", &CreateArgs{}, words(whereWire, 3, verf), xdr.ErrInvalid},
		{"a time", &SetAttrArgs{}, words("fh", 0, 0, 0, 0, 3, 0, 0), xdr.ErrInvalid},
	} {
		if err := decode(c.into, c.wire); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestTheLongestIsTaken(t *testing.T) {
	for _, m := range []message{
		&DirOp{Handle(strings.Repeat("h", MaxHandle)), strings.Repeat("n", MaxName)},
		&SymlinkArgs{Where: where, Path: strings.Repeat("p", MaxPath)},
		&ReadLinkResult{Path: strings.Repeat("p", MaxPath)},
		&WriteArgs{File: Handle("fh"), Data: make([]byte, 1<<20)},
	} {
		wire := encode(m)
		if err := decode(m, wire); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
}

func TestProceduresAndStatusesHaveTheNamesOfTheRFC(t *testing.T) {
	for got, want := range map[string]string{
		ProcNull.String(): "NULL", ProcReadDirPlus.String(): "READDIRPLUS", ProcCommit.String(): "COMMIT", Procedure(22).String(): "procedure 22",
		ErrJukebox.Error(): "NFS3ERR_JUKEBOX", OK.Error(): "NFS3_OK", Status(4).Error(): "NFS status 4",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestOnlyProceduresThatMayRunTwiceAreIdempotent(t *testing.T) {
	for p := range Procedures + 2 {
		want := true
		switch p {
		case ProcSetAttr, ProcCreate, ProcMkdir, ProcSymlink, ProcMknod, ProcRemove, ProcRmdir, ProcRename, ProcLink, Procedures, Procedures + 1:
			want = false
		}
		if p.Idempotent() != want {
			t.Errorf("%v: %t", p, p.Idempotent())
		}
	}
}
