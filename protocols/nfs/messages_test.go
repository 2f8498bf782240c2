package nfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"forebay/protocols/nfs/xdr"
)

type message interface {
	Encode(*xdr.Encoder)
	Decode(*xdr.Decoder)
}

func encode(m message) []byte {
	var e xdr.Encoder
	m.Encode(&e)
	return e.Bytes()
}

// decode reads m, which has to be all there is.
func decode(m message, p []byte) error {
	d := xdr.NewDecoder(p)
	m.Decode(&d)
	if d.Err() == nil && len(d.Rest()) > 0 {
		return errors.New("something is left")
	}
	return d.Err()
}

// newArgs and newResult are what each procedure takes and answers; NULL has neither.
func newArgs(p Procedure) message {
	return [Procedures]message{nil, &HandleArgs{}, &SetAttrArgs{}, &DirOp{}, &AccessArgs{}, &HandleArgs{}, &ReadArgs{}, &WriteArgs{}, &CreateArgs{},
		&MkdirArgs{}, &SymlinkArgs{}, &MknodArgs{}, &DirOp{}, &DirOp{}, &RenameArgs{}, &LinkArgs{}, &ReadDirArgs{}, &ReadDirPlusArgs{},
		&HandleArgs{}, &HandleArgs{}, &HandleArgs{}, &CommitArgs{}}[p]
}

func newResult(p Procedure) message {
	return [Procedures]message{nil, &GetAttrResult{}, &WccResult{}, &LookupResult{}, &AccessResult{}, &ReadLinkResult{}, &ReadResult{},
		&WriteResult{}, &CreateResult{}, &CreateResult{}, &CreateResult{}, &CreateResult{}, &WccResult{}, &WccResult{}, &RenameResult{},
		&LinkResult{}, &ReadDirResult{}, &ReadDirPlusResult{}, &FSStatResult{}, &FSInfoResult{}, &PathConfResult{}, &CommitResult{}}[p]
}

// words is a message as the RFC's XDR has it: int is 32 bits, uint64 64, string opaque with its length, []byte as it is.
func words(parts ...any) []byte {
	var p []byte
	for _, part := range parts {
		switch v := part.(type) {
		case int:
			p = binary.BigEndian.AppendUint32(p, uint32(v))
		case uint64:
			p = binary.BigEndian.AppendUint64(p, v)
		case string:
			p = binary.BigEndian.AppendUint32(p, uint32(len(v)))
			p = append(append(p, v...), "\x00\x00\x00"[:-len(v)&3]...)
		case []byte:
			p = append(p, v...)
		default:
			panic("words: a type that the wire has not")
		}
	}
	return p
}

var (
	attr = Attr{Type: Regular, Mode: 2, Nlink: 3, UID: 4, GID: 5, Size: 6, Used: 7, Rdev: Device{8, 9}, FSID: 10, FileID: 11,
		Atime: Time{12, 13}, Mtime: Time{14, 15}, Ctime: Time{16, 17}}
	attrWire = words(1, 2, 3, 4, 5, uint64(6), uint64(7), 8, 9, uint64(10), uint64(11), 12, 13, 14, 15, 16, 17)
	postWire = words(1, attrWire)
	wcc      = WccData{Before: Some(WccAttr{Size: 21, Mtime: Time{22, 23}, Ctime: Time{24, 25}}), After: Some(attr)}
	wccWire  = words(1, uint64(21), 22, 23, 24, 25, postWire)

	setAll = SetAttr{Mode: Some[uint32](31), UID: Some[uint32](32), GID: Some[uint32](33), Size: Some[uint64](34),
		Atime: SetTime{How: SetToServerTime}, Mtime: SetTime{How: SetToClientTime, Time: Time{35, 36}}}
	setWire = words(1, 31, 1, 32, 1, 33, 1, uint64(34), 1, 2, 35, 36)
	setNone = words(0, 0, 0, 0, 0, 0)

	where     = DirOp{Dir: Handle("dir"), Name: "name"}
	whereWire = words("dir", "name")
	verifier  = Verifier{'v', 'e', 'r', 'i', 'f', 'i', 'e', 'r'}
	verf      = []byte("verifier")
)

type sample struct {
	name      string
	procedure Procedure
	message   message
	wire      []byte
}

var argsSamples = []sample{
	{"getattr", ProcGetAttr, &HandleArgs{Handle("fh")}, words("fh")},
	{"setattr", ProcSetAttr, &SetAttrArgs{Handle("fh"), setAll, Some(Time{1, 2})}, words("fh", setWire, 1, 1, 2)},
	{"setattr-nothing", ProcSetAttr, &SetAttrArgs{Object: Handle("fh")}, words("fh", setNone, 0)},
	{"lookup", ProcLookup, &where, whereWire},
	{"access", ProcAccess, &AccessArgs{Handle("fh"), AccessRead | AccessExecute}, words("fh", 0x21)},
	{"readlink", ProcReadLink, &HandleArgs{Handle("fh")}, words("fh")},
	{"read", ProcRead, &ReadArgs{Handle("fh"), 1 << 40, 4096}, words("fh", uint64(1<<40), 4096)},
	{"write", ProcWrite, &WriteArgs{Handle("fh"), 1 << 40, DataSync, []byte("hello")}, words("fh", uint64(1<<40), 5, 1, "hello")},
	{"create-unchecked", ProcCreate, &CreateArgs{Where: where, Attr: setAll}, words(whereWire, 0, setWire)},
	{"create-guarded", ProcCreate, &CreateArgs{Where: where, Mode: Guarded, Attr: setAll}, words(whereWire, 1, setWire)},
	{"create-exclusive", ProcCreate, &CreateArgs{Where: where, Mode: Exclusive, Verifier: verifier}, words(whereWire, 2, verf)},
	{"mkdir", ProcMkdir, &MkdirArgs{where, setAll}, words(whereWire, setWire)},
	{"symlink", ProcSymlink, &SymlinkArgs{where, setAll, "to/there"}, words(whereWire, setWire, "to/there")},
	{"mknod-device", ProcMknod, &MknodArgs{where, CharacterDevice, setAll, Device{1, 2}}, words(whereWire, 4, setWire, 1, 2)},
	{"mknod-fifo", ProcMknod, &MknodArgs{Where: where, Type: FIFO, Attr: setAll}, words(whereWire, 7, setWire)},
	{"mknod-bad-type", ProcMknod, &MknodArgs{Where: where, Type: Directory}, words(whereWire, 2)},
	{"remove", ProcRemove, &where, whereWire},
	{"rmdir", ProcRmdir, &where, whereWire},
	{"rename", ProcRename, &RenameArgs{where, DirOp{Handle("other"), "new"}}, words(whereWire, "other", "new")},
	{"link", ProcLink, &LinkArgs{Handle("fh"), where}, words("fh", whereWire)},
	{"readdir", ProcReadDir, &ReadDirArgs{Handle("fh"), 7, verifier, 512}, words("fh", uint64(7), verf, 512)},
	{"readdirplus", ProcReadDirPlus, &ReadDirPlusArgs{Handle("fh"), 7, verifier, 512, 4096}, words("fh", uint64(7), verf, 512, 4096)},
	{"fsstat", ProcFSStat, &HandleArgs{Handle("fh")}, words("fh")},
	{"fsinfo", ProcFSInfo, &HandleArgs{Handle("fh")}, words("fh")},
	{"pathconf", ProcPathConf, &HandleArgs{Handle("fh")}, words("fh")},
	{"commit", ProcCommit, &CommitArgs{Handle("fh"), 8, 9}, words("fh", uint64(8), 9)},
}

var resultSamples = []sample{
	{"getattr", ProcGetAttr, &GetAttrResult{OK, attr}, words(0, attrWire)},
	{"getattr-stale", ProcGetAttr, &GetAttrResult{Status: ErrStale}, words(70)},
	{"setattr", ProcSetAttr, &WccResult{OK, wcc}, words(0, wccWire)},
	{"setattr-not-sync", ProcSetAttr, &WccResult{Status: ErrNotSync}, words(10002, 0, 0)},
	{"lookup", ProcLookup, &LookupResult{OK, Handle("fh"), Some(attr), Some(attr)}, words(0, "fh", postWire, postWire)},
	{"lookup-noent", ProcLookup, &LookupResult{Status: ErrNoEnt, DirAttr: Some(attr)}, words(2, postWire)},
	{"access", ProcAccess, &AccessResult{OK, Some(attr), AccessModify}, words(0, postWire, 4)},
	{"access-io", ProcAccess, &AccessResult{Status: ErrIO}, words(5, 0)},
	{"readlink", ProcReadLink, &ReadLinkResult{OK, Some(attr), "to/there"}, words(0, postWire, "to/there")},
	{"readlink-inval", ProcReadLink, &ReadLinkResult{Status: ErrInval}, words(22, 0)},
	{"read", ProcRead, &ReadResult{OK, Some(attr), 5, true, []byte("hello")}, words(0, postWire, 5, 1, "hello")},
	{"read-jukebox", ProcRead, &ReadResult{Status: ErrJukebox}, words(10008, 0)},
	{"write", ProcWrite, &WriteResult{OK, wcc, 5, FileSync, verifier}, words(0, wccWire, 5, 2, verf)},
	{"write-nospc", ProcWrite, &WriteResult{Status: ErrNoSpc, Wcc: wcc}, words(28, wccWire)},
	{"create", ProcCreate, &CreateResult{OK, Some(Handle("fh")), Some(attr), wcc}, words(0, 1, "fh", postWire, wccWire)},
	{"create-without-handle", ProcCreate, &CreateResult{Status: OK}, words(0, 0, 0, 0, 0)},
	{"create-exist", ProcCreate, &CreateResult{Status: ErrExist, DirWcc: wcc}, words(17, wccWire)},
	{"mkdir", ProcMkdir, &CreateResult{OK, Some(Handle("fh")), Some(attr), wcc}, words(0, 1, "fh", postWire, wccWire)},
	{"symlink", ProcSymlink, &CreateResult{OK, Some(Handle("fh")), Some(attr), wcc}, words(0, 1, "fh", postWire, wccWire)},
	{"mknod", ProcMknod, &CreateResult{OK, Some(Handle("fh")), Some(attr), wcc}, words(0, 1, "fh", postWire, wccWire)},
	{"remove", ProcRemove, &WccResult{OK, wcc}, words(0, wccWire)},
	{"rmdir-notempty", ProcRmdir, &WccResult{ErrNotEmpty, wcc}, words(66, wccWire)},
	{"rename", ProcRename, &RenameResult{OK, wcc, WccData{}}, words(0, wccWire, 0, 0)},
	{"rename-xdev", ProcRename, &RenameResult{ErrXDev, WccData{}, wcc}, words(18, 0, 0, wccWire)},
	{"link", ProcLink, &LinkResult{OK, Some(attr), wcc}, words(0, postWire, wccWire)},
	{"link-mlink", ProcLink, &LinkResult{Status: ErrMLink}, words(31, 0, 0, 0)},
	{"readdir", ProcReadDir, &ReadDirResult{OK, Some(attr), verifier, []Entry{{1, "a", 2}, {3, "bcdef", 4}}, true},
		words(0, postWire, verf, 1, uint64(1), "a", uint64(2), 1, uint64(3), "bcdef", uint64(4), 0, 1)},
	{"readdir-bad-cookie", ProcReadDir, &ReadDirResult{Status: ErrBadCookie}, words(10003, 0)},
	{"readdirplus", ProcReadDirPlus, &ReadDirPlusResult{OK, Some(attr), verifier,
		[]EntryPlus{{Entry{1, "a", 2}, Some(attr), Some(Handle("fh"))}, {Entry: Entry{3, "bcdef", 4}}}, false},
		words(0, postWire, verf, 1, uint64(1), "a", uint64(2), postWire, 1, "fh", 1, uint64(3), "bcdef", uint64(4), 0, 0, 0, 0)},
	{"readdirplus-notsupp", ProcReadDirPlus, &ReadDirPlusResult{Status: ErrNotSupp}, words(10004, 0)},
	{"fsstat", ProcFSStat, &FSStatResult{OK, Some(attr), 1, 2, 3, 4, 5, 6, 7},
		words(0, postWire, uint64(1), uint64(2), uint64(3), uint64(4), uint64(5), uint64(6), 7)},
	{"fsstat-io", ProcFSStat, &FSStatResult{Status: ErrIO}, words(5, 0)},
	{"fsinfo", ProcFSInfo, &FSInfoResult{OK, Some(attr), 1, 2, 3, 4, 5, 6, 7, 8, Time{9, 10}, HardLinks | CanSetTime},
		words(0, postWire, 1, 2, 3, 4, 5, 6, 7, uint64(8), 9, 10, 0x11)},
	{"fsinfo-stale", ProcFSInfo, &FSInfoResult{Status: ErrStale}, words(70, 0)},
	{"pathconf", ProcPathConf, &PathConfResult{OK, Some(attr), 1, 2, true, false, true, false}, words(0, postWire, 1, 2, 1, 0, 1, 0)},
	{"pathconf-stale", ProcPathConf, &PathConfResult{Status: ErrStale}, words(70, 0)},
	{"commit", ProcCommit, &CommitResult{OK, wcc, verifier}, words(0, wccWire, verf)},
	{"commit-io", ProcCommit, &CommitResult{Status: ErrIO}, words(5, 0, 0)},
}

func TestMessagesLieOnTheWireAsTheRFCSays(t *testing.T) {
	check := func(t *testing.T, s sample, fresh message) {
		if got := encode(s.message); !bytes.Equal(got, s.wire) {
			t.Errorf("encoded\n% x\nwant\n% x", got, s.wire)
		}
		if err := decode(fresh, s.wire); err != nil || !reflect.DeepEqual(fresh, s.message) {
			t.Errorf("decoded %v\n%+v\nwant\n%+v", err, fresh, s.message)
		}
		for n := range s.wire {
			if err := decode(fresh, s.wire[:n]); err == nil {
				t.Fatalf("cut to %d of %d bytes it is taken", n, len(s.wire))
			}
		}
	}
	for _, s := range argsSamples {
		t.Run("args/"+s.name, func(t *testing.T) { check(t, s, newArgs(s.procedure)) })
	}
	for _, s := range resultSamples {
		t.Run("result/"+s.name, func(t *testing.T) { check(t, s, newResult(s.procedure)) })
	}
}

func TestTheSamplesHaveEveryProcedure(t *testing.T) {
	for p := ProcGetAttr; p < Procedures; p++ {
		has := func(list []sample) (found bool) {
			for _, s := range list {
				found = found || s.procedure == p
			}
			return found
		}
		if !has(argsSamples) || !has(resultSamples) {
			t.Errorf("%v is missing", p)
		}
	}
}

// What is decoded into may have been used before.
func TestNothingOfAnEarlierMessageIsLeft(t *testing.T) {
	for _, list := range [][]sample{argsSamples, resultSamples} {
		for _, before := range list {
			for _, after := range list {
				if reflect.TypeOf(before.message) != reflect.TypeOf(after.message) {
					continue
				}
				m := reflect.New(reflect.TypeOf(before.message).Elem()).Interface().(message)
				_ = decode(m, before.wire)
				if err := decode(m, after.wire); err != nil || !bytes.Equal(encode(m), after.wire) {
					t.Errorf("%s after %s: %v", after.name, before.name, err)
				}
			}
		}
	}
}
