package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

func TestOtherProceduresAndVersionsAreRefused(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	for _, version := range []uint32{2, 4} {
		c := rpc.NewClient(rpc.ClientOptions{Address: r.address, Program: nfs.Program, Version: version})
		_, err := c.Call(t.Context(), &rpc.Request{})
		var m *rpc.MismatchError
		if !errors.As(err, &m) || !errors.Is(err, rpc.ProgMismatch) || m.Low != 3 || m.High != 3 {
			t.Errorf("version %d: %v", version, err)
		}
		c.Close()
	}
	c := r.client("127.0.0.1").c
	for p, want := range map[uint32]error{0: nil, uint32(nfs.Procedures): rpc.ProcUnavail, math.MaxUint32: rpc.ProcUnavail} {
		if _, err := c.Call(t.Context(), &rpc.Request{Procedure: p}); !errors.Is(err, want) {
			t.Errorf("procedure %d: %v", p, err)
		}
	}
}

// bytesArgs are arguments as they lie on the wire.
type bytesArgs []byte

func (p bytesArgs) Encode(e *xdr.Encoder) { e.Fixed(p) }

func TestGarbageIsGarbage(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	c := r.client("127.0.0.1").c
	for _, p := range procedures() {
		var e xdr.Encoder
		nfstest.Sample(p, dir, f).Encode(&e)
		for _, n := range []int{0, 4, e.Len() - 4} {
			_, err := c.Call(t.Context(), &rpc.Request{Procedure: uint32(p), Args: bytesArgs(e.Bytes()[:n])})
			if !errors.Is(err, rpc.GarbageArgs) {
				t.Errorf("%v with %d bytes of %d: %v", p, n, e.Len(), err)
			}
		}
	}
}

func TestAFileSystemThatHasNoAnswer(t *testing.T) {
	for err, want := range map[error]nfs.Status{
		nfs.ErrAway:                                 nfs.ErrJukebox,
		nfs.ErrOutcomeUnknown:                       nfs.ErrJukebox,
		fmt.Errorf("filer: %w", nfs.ErrAway):        nfs.ErrJukebox,
		context.DeadlineExceeded:                    nfs.ErrJukebox,
		context.Canceled:                            nfs.ErrJukebox,
		fmt.Errorf("filer: %w", nfs.ErrServerFault): nfs.ErrServerFault,
		errors.New("who knows"):                     nfs.ErrIO,
	} {
		r := newRig(t, nfstest.Options{}, nil)
		dir, f := r.fill()
		u := r.user()
		for _, at := range []nfstest.Stage{nfstest.Before, nfstest.After} {
			trap := r.mem.Fail(at, err, func(nfs.Procedure, nfs.Message) bool { return true })
			for _, p := range procedures() {
				expect(t, fmt.Sprintf("%v, %v", p, err), ask(u, p, dir, f), want)
			}
			trap.Release()
		}
	}
}

// sink is where a log goes.
type sink struct {
	mu sync.Mutex
	p  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p.Write(p)
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.p.String()), "\n")
}

func TestFailuresAreLoggedButNotEachOfThem(t *testing.T) {
	var log sink
	r := newRig(t, nfstest.Options{}, func(_ *rig, o *Options) { o.Logger = zerolog.New(&log) })
	u, root := r.user(), r.root()
	trap := r.mem.Fail(nfstest.Before, errors.New("who knows"), nfstest.Only(nfs.ProcFSStat))
	defer trap.Release()
	for range 100 {
		expect(t, "fsstat", u.FSStat(root).Status, nfs.ErrIO)
	}
	r.clock.pass(complainEvery)
	expect(t, "fsstat", u.FSStat(root).Status, nfs.ErrIO)
	if lines := log.lines(); len(lines) != 2 || !strings.Contains(lines[1], `"withheld":99`) || !strings.Contains(lines[1], "who knows") {
		t.Errorf("%q", lines)
	}
}

func TestReadsAndWritesAreBounded(t *testing.T) {
	r := newRig(t, nfstest.Options{ReadMax: math.MaxUint32, WriteMax: math.MaxUint32}, nil)
	h := r.seal(r.mem.Put("f", make([]byte, 3<<20)))
	u := r.user()
	for _, cold := range []bool{false, true} {
		r.files.Cold.Store(cold)
		if m := u.Read(h, 0, 2<<20); m.Status != nfs.OK || m.Count != MaxTransfer || m.EOF || len(m.Data) != MaxTransfer {
			t.Errorf("%v, %d bytes", m.Status, m.Count)
		}
		if m := u.Read(h, 1, 3); m.Status != nfs.OK || len(m.Data) != 3 { // padded
			t.Errorf("%v, %d bytes", m.Status, m.Count)
		}
	}
	if m := u.Write(h, 0, nfs.FileSync, make([]byte, MaxTransfer+4096)); m.Status != nfs.OK || m.Count != MaxTransfer {
		t.Errorf("%v, %d bytes", m.Status, m.Count)
	}
	before := r.mem.Calls(nfs.ProcWrite)
	expect(t, "read too far", u.Read(h, math.MaxUint64, 1).Status, nfs.ErrInval)
	expect(t, "read too far", u.Read(h, math.MaxInt64, 1).Status, nfs.ErrInval)
	expect(t, "write too far", u.Write(h, math.MaxUint64, nfs.FileSync, []byte("x")).Status, nfs.ErrFBig)
	expect(t, "grow too far", u.Truncate(h, math.MaxUint64).Status, nfs.ErrFBig)
	size := nfs.SetAttr{Size: nfs.Some[uint64](math.MaxUint64)}
	expect(t, "create too far", u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: r.root(), Name: "f"}, Attr: size}).Status, nfs.ErrFBig)
	var c nfs.CommitResult
	u.Do(nfs.ProcCommit, &nfs.CommitArgs{File: h, Offset: math.MaxUint64, Count: 1}, &c)
	expect(t, "commit too far", c.Status, nfs.ErrInval)
	if n := r.mem.Calls(nfs.ProcWrite) - before + r.mem.Calls(nfs.ProcSetAttr) + r.mem.Calls(nfs.ProcCreate) + r.mem.Calls(nfs.ProcCommit); n != 0 {
		t.Errorf("%d calls come to the file system", n)
	}
}

// Stability and verifier are the file system's affair.
func TestWritesAreAsStableAsTheFileSystemSays(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	h := r.seal(r.mem.Put("f", nil))
	u := r.user()
	for _, stable := range []nfs.Stable{nfs.Unstable, nfs.DataSync, nfs.FileSync} {
		if w := u.Write(h, 0, stable, []byte("data")); w.Committed != stable || w.Verifier != u.Commit(h).Verifier {
			t.Errorf("%+v", w)
		}
	}
	before := u.Commit(h).Verifier
	r.mem.Restart()
	if u.Commit(h).Verifier == before {
		t.Error("the verifier is the same")
	}
}

func TestFSInfoIsWhatTheServerCarries(t *testing.T) {
	for _, c := range []struct{ read, write, wantRead, wantWrite uint32 }{
		{math.MaxUint32, math.MaxUint32, MaxTransfer, MaxTransfer}, {65536, 32768, 65536, 32768},
	} {
		r := newRig(t, nfstest.Options{ReadMax: c.read, WriteMax: c.write}, nil)
		m := r.user().FSInfo(r.root())
		if m.ReadMax != c.wantRead || m.ReadPref != c.wantRead || m.WriteMax != c.wantWrite || m.WritePref != c.wantWrite ||
			m.ReadDirPref == 0 || m.ReadDirPref > MaxTransfer {
			t.Errorf("%+v", m)
		}
	}
	m := nfs.FSInfoResult{MaxFileSize: math.MaxUint64, ReadPref: 1 << 30}
	if boundInfo(&m); m.ReadMax != MaxTransfer || m.ReadPref != MaxTransfer || m.WritePref != MaxTransfer || m.MaxFileSize != math.MaxInt64 ||
		m.ReadDirPref == 0 {
		t.Errorf("%+v", m)
	}
}

// Handles grow on their way, and yet a listing is no longer than the client said, and complete.
func TestAListingKeepsToTheClientsCount(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	want := []string{".", ".."}
	for i := range 100 {
		name := fmt.Sprintf("file-%02d", i)
		r.mem.Put(name, nil)
		want = append(want, name)
	}
	dir, c := r.root(), r.client("127.0.0.1").c
	var got []string
	a := &nfs.ReadDirPlusArgs{Dir: dir, DirCount: 1 << 20, MaxCount: 1400}
	for eof := false; !eof; {
		reply, err := c.Call(t.Context(), &rpc.Request{Procedure: uint32(nfs.ProcReadDirPlus), Args: a})
		if err != nil {
			t.Fatal(err)
		}
		var m nfs.ReadDirPlusResult
		if err := reply.Decode(&m); err != nil || m.Status != nfs.OK || len(m.Entries) == 0 {
			t.Fatal(err, m.Status)
		}
		if n := len(reply.Results) - 4; n > int(a.MaxCount) {
			t.Errorf("%d bytes", n)
		}
		for _, e := range m.Entries {
			got, a.Cookie = append(got, e.Name), e.Cookie
		}
		a.Verifier, eof = m.Verifier, m.EOF
		reply.Release()
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	u := r.user()
	all := u.ReadDirPlus(dir, 0, nfs.Verifier{}, math.MaxUint32, math.MaxUint32)
	if len(all.Entries) != len(want) || !all.EOF {
		t.Errorf("%d entries, EOF %t", len(all.Entries), all.EOF)
	}
	for max := uint32(0); max < 400; max += 4 { // what is long enough for the file system need not be for us
		switch m := u.ReadDirPlus(dir, 0, nfs.Verifier{}, 1000, max); m.Status {
		case nfs.OK:
			if len(m.Entries) == 0 {
				t.Errorf("no entries in %d bytes", max)
			}
		case nfs.ErrTooSmall:
		default:
			t.Errorf("%d bytes: %v", max, m.Status)
		}
	}
}

// What a client asks for may be more than a record carries.
func TestAListingIsBounded(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	for i := range 6000 {
		r.mem.Put(fmt.Sprintf("%0200d", i), nil)
	}
	c := r.client("127.0.0.1").c
	for p, a := range map[nfs.Procedure]nfs.Message{
		nfs.ProcReadDir:     &nfs.ReadDirArgs{Dir: r.root(), Count: math.MaxUint32},
		nfs.ProcReadDirPlus: &nfs.ReadDirPlusArgs{Dir: r.root(), DirCount: math.MaxUint32, MaxCount: math.MaxUint32},
	} {
		reply, err := c.Call(t.Context(), &rpc.Request{Procedure: uint32(p), Args: a})
		if err != nil {
			t.Errorf("%v: %v", p, err)
			continue
		}
		if n := len(reply.Results); n > MaxTransfer+4 || n < MaxTransfer*9/10 {
			t.Errorf("%v: %d bytes", p, n)
		}
		reply.Release()
	}
}

// curt is a file system that says that a listing ends where the client has no room for the next entry.
type curt struct{ FileSystem }

func (c curt) Do(ctx context.Context, caller *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := c.FileSystem.Do(ctx, caller, p, a, r)
	switch r := r.(type) {
	case *nfs.ReadDirResult:
		r.EOF = true
	case *nfs.ReadDirPlusResult:
		r.EOF = true
	}
	return err
}

func TestASmallListingDoesNotEndWhereTheFileSystemHasNoRoom(t *testing.T) {
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { r.export.Files = curt{r.files} })
	for i := range 20 {
		r.mem.Put(fmt.Sprintf("file-%02d", i), nil)
	}
	u, dir := r.user(), r.root()
	names, cookie, eof := 0, uint64(0), false
	for v := (nfs.Verifier{}); !eof; {
		m := u.ReadDir(dir, cookie, v, 300)
		if m.Status != nfs.OK || len(m.Entries) == 0 {
			t.Fatalf("%v, %d entries", m.Status, len(m.Entries))
		}
		names += len(m.Entries)
		cookie, v, eof = m.Entries[len(m.Entries)-1].Cookie, m.Verifier, m.EOF
	}
	if names != 22 {
		t.Errorf("READDIR has %d names", names)
	}
	names, cookie, eof = 0, 0, false
	for v := (nfs.Verifier{}); !eof; {
		m := u.ReadDirPlus(dir, cookie, v, 300, 600)
		if m.Status != nfs.OK || len(m.Entries) == 0 {
			t.Fatalf("%v, %d entries", m.Status, len(m.Entries))
		}
		names += len(m.Entries)
		cookie, v, eof = m.Entries[len(m.Entries)-1].Cookie, m.Verifier, m.EOF
	}
	if names != 22 {
		t.Errorf("READDIRPLUS has %d names", names)
	}
}

// liar is a file system that does what a broken one may do.
type liar struct {
	FileSystem
	read   atomic.Pointer[func(r *nfs.ReadResult, data Sink)]
	handle atomic.Pointer[nfs.Handle]
}

func (l *liar) ReadNow(*nfs.Caller, *nfs.ReadArgs, *nfs.ReadResult, Sink) bool { return false }

func (l *liar) Read(_ context.Context, _ *nfs.Caller, _ *nfs.ReadArgs, r *nfs.ReadResult, data Sink) error {
	(*l.read.Load())(r, data)
	return nil
}

func (l *liar) Now(_ *nfs.Caller, _ nfs.Procedure, _, r nfs.Message) bool {
	m, ok := r.(*nfs.LookupResult)
	if ok {
		m.Object = *l.handle.Load()
	}
	return ok
}

func TestABrokenFileSystemBreaksNoConnection(t *testing.T) {
	l := new(liar)
	r := newRig(t, nfstest.Options{}, func(r *rig, _ *Options) { l.FileSystem, r.export.Files = r.files, l })
	u, root := r.user(), r.root()
	for _, read := range []func(r *nfs.ReadResult, data Sink){
		func(r *nfs.ReadResult, _ Sink) { r.Count = 100 },
		func(r *nfs.ReadResult, data Sink) { data.Add(make([]byte, 100), nil, 0) },
		func(r *nfs.ReadResult, data Sink) { r.Count = 200; data.Add(make([]byte, 200), nil, 0) },
	} {
		l.read.Store(&read)
		expect(t, "read", u.Read(root, 0, 150).Status, nfs.ErrIO)
	}
	stale := func(r *nfs.ReadResult, data Sink) { r.Status = nfs.ErrStale; data.Add(make([]byte, 100), nil, 0) }
	l.read.Store(&stale)
	expect(t, "read", u.Read(root, 0, 150).Status, nfs.ErrStale)
	for _, n := range []int{0, nfs.MaxHandle + 1} {
		h := make(nfs.Handle, n)
		l.handle.Store(&h)
		expect(t, "lookup", u.Lookup(root, "x").Status, nfs.ErrIO)
	}
}

// watcher notes what it is told.
type watcher struct {
	mu   sync.Mutex
	told []string
}

func (w *watcher) Observe(e *Export, p nfs.Procedure, size int, took time.Duration, s nfs.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf("%s %v %d %v %v", e.Path, p, size, took, s))
}

func TestTheObserverIsToldOfEachProcedure(t *testing.T) {
	w := new(watcher)
	r := newRig(t, nfstest.Options{}, func(_ *rig, o *Options) { o.Observer = w })
	f := r.seal(r.mem.Put("f", []byte("content")))
	u, root := r.user(), r.root()
	u.GetAttr(f)
	u.GetAttr(nfs.Handle("forged"))
	u.Read(f, 0, 100)
	u.Write(f, 0, nfs.FileSync, []byte("four"))
	u.ReadDirPlus(root, 0, nfs.Verifier{}, 1000, 1000)
	u.ReadDirPlus(root, 0, nfs.Verifier{}, 10, 10)
	u.Remove(root, "..")
	want := []string{"/export GETATTR 0 0s NFS3_OK", "/export READ 7 0s NFS3_OK", "/export WRITE 4 0s NFS3_OK",
		"/export READDIRPLUS 0 0s NFS3_OK", "/export READDIRPLUS 0 0s NFS3ERR_TOOSMALL", "/export REMOVE 0 0s NFS3ERR_INVAL"}
	if w.mu.Lock(); !slices.Equal(w.told, want) {
		t.Errorf("%q", w.told)
	}
	w.mu.Unlock()
}
