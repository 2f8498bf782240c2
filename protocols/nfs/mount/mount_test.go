package mount

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	independent "github.com/vmware/go-nfs-client/nfs"
	vmware "github.com/vmware/go-nfs-client/nfs/rpc"
	"pgregory.net/rapid"

	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// shelf is an Exporter: /share with a short handle, /long with one of 64 bytes, and paths that are named after the error they give.
type shelf struct {
	client atomic.Pointer[netip.AddrPort]
}

func (*shelf) Exports() []Export {
	return []Export{{Dir: "/share", Groups: []string{"127.0.0.0/8", "host"}}, {Dir: "/long"}}
}

func (s *shelf) Mount(_ context.Context, client netip.AddrPort, p string) ([]byte, []rpc.Flavor, error) {
	s.client.Store(&client)
	switch p {
	case "/share":
		return []byte("share"), []rpc.Flavor{rpc.AuthSys, rpc.AuthNone}, nil
	case "/long":
		return make([]byte, maxHandle), []rpc.Flavor{rpc.AuthSys}, nil
	case "/secret":
		return nil, nil, fmt.Errorf("not for you: %w", ErrAcces)
	case "/broken":
		return nil, nil, errors.New("the array is away")
	case "/unsupported":
		return nil, nil, ErrNotSupp
	}
	return nil, nil, ErrNoEnt
}

// serve has an exporter served, and returns its server and a client for each version.
func serve(t *testing.T) (s *Server, e *shelf, clients [4]*rpc.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e = new(shelf)
	s = NewServer(e)
	server := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{s}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	for version := range clients {
		clients[version] = rpc.NewClient(rpc.ClientOptions{Address: l.Addr().String(), Program: Program, Version: uint32(version)})
	}
	t.Cleanup(func() {
		for _, c := range clients {
			c.Close()
		}
		server.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s, e, clients
}

type decoder interface{ Decode(*xdr.Decoder) }

// call makes a call with a path, unless that is empty, and decodes its results into r, unless that is nil.
func call(t *testing.T, c *rpc.Client, procedure uint32, p Path, r decoder) {
	t.Helper()
	q := &rpc.Request{Procedure: procedure}
	if p != "" {
		q.Args = p
	}
	reply, err := c.Call(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		if len(reply.Results) != 0 {
			t.Errorf("procedure %d answers % x", procedure, reply.Results)
		}
	} else if err := reply.Decode(r); err != nil {
		t.Fatal(err)
	}
}

func TestMntGivesTheHandleOrSaysWhyNot(t *testing.T) {
	_, e, clients := serve(t)
	both := []rpc.Flavor{rpc.AuthSys, rpc.AuthNone}
	for _, c := range []struct {
		path Path
		want MntResult
		old  Status
	}{
		{"/share", MntResult{Handle: []byte("share"), Flavors: both}, OK},
		{"/share/", MntResult{Handle: []byte("share"), Flavors: both}, OK},
		{"//share/../share/.", MntResult{Handle: []byte("share"), Flavors: both}, OK},
		{"/long", MntResult{Handle: make([]byte, maxHandle), Flavors: both[:1]}, ErrIO},
		{"/nowhere", MntResult{Status: ErrNoEnt}, ErrNoEnt},
		{"share", MntResult{Status: ErrNoEnt}, ErrNoEnt},
		{"/secret", MntResult{Status: ErrAcces}, ErrAcces},
		{"/broken", MntResult{Status: ErrServerFault}, ErrIO},
		{"/unsupported", MntResult{Status: ErrNotSupp}, ErrIO},
		{Path(strings.Repeat("p", maxPath)), MntResult{Status: ErrNoEnt}, ErrNoEnt},
		{Path(strings.Repeat("p", maxPath+1)), MntResult{Status: ErrNameTooLong}, ErrNameTooLong},
	} {
		var got MntResult
		if call(t, clients[3], ProcMnt, c.path, &got); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%.20s: %+v", c.path, got)
		}
		for _, version := range []int{1, 2} {
			want := OldMntResult{Status: c.old}
			if c.old == OK {
				copy(want.Handle[:], "share")
			}
			var got OldMntResult
			if call(t, clients[version], ProcMnt, c.path, &got); got != want {
				t.Errorf("version %d, %.20s: %+v", version, c.path, got)
			}
		}
	}
	if client := e.client.Load(); !client.Addr().IsLoopback() || client.Port() == 0 {
		t.Errorf("the client is %v", client)
	}
}

func TestExportListsTheExports(t *testing.T) {
	_, e, clients := serve(t)
	for _, c := range clients[1:] {
		var list ExportList
		if call(t, c, ProcExport, "", &list); !reflect.DeepEqual([]Export(list), e.Exports()) {
			t.Errorf("%+v", list)
		}
	}
}

func TestDumpListsWhatIsMounted(t *testing.T) {
	_, _, clients := serve(t)
	check := func(dirs ...string) {
		t.Helper()
		var list MountedList
		call(t, clients[3], ProcDump, "", &list)
		var got []string
		for _, m := range list {
			if got = append(got, m.Dir); m.Host != "127.0.0.1" {
				t.Errorf("host %q", m.Host)
			}
		}
		if !reflect.DeepEqual(got, dirs) {
			t.Errorf("%q, want %q", got, dirs)
		}
	}
	check()
	for _, p := range []Path{"/share", "/long", "/share", "/secret"} {
		call(t, clients[3], ProcMnt, p, new(MntResult))
	}
	check("/share", "/long")
	call(t, clients[1], ProcUmnt, "/share/", nil)
	check("/long")
	call(t, clients[3], ProcMnt, "/share", new(MntResult))
	call(t, clients[3], ProcUmntAll, "", nil)
	check()
}

func TestAHostUnmountsWhatIsItsOwn(t *testing.T) {
	s := NewServer(new(shelf))
	ask := func(from string, procedure uint32, p Path) {
		var e xdr.Encoder
		p.Encode(&e)
		c := &rpc.Call{CallHeader: rpc.CallHeader{Version: Version, Procedure: procedure}, Remote: netip.MustParseAddrPort(from), Args: e.Bytes()}
		s.Serve(t.Context(), c)
	}
	for _, from := range []string{"192.0.2.1:700", "192.0.2.2:700"} {
		ask(from, ProcMnt, "/share")
		ask(from, ProcMnt, "/long")
	}
	ask("192.0.2.1:701", ProcUmnt, "/share")
	if got, want := s.Mounted(), (MountedList{{"192.0.2.1", "/long"}, {"192.0.2.2", "/share"}, {"192.0.2.2", "/long"}}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	ask("192.0.2.1:701", ProcUmntAll, "")
	if got, want := s.Mounted(), (MountedList{{"192.0.2.2", "/share"}, {"192.0.2.2", "/long"}}); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheListOfMountsIsBounded(t *testing.T) {
	s := NewServer(new(shelf))
	for i := range maxMounted + 10 {
		s.remember(Mounted{"host", fmt.Sprint(i)})
	}
	if list := s.Mounted(); len(list) != maxMounted || list[0].Dir != "10" {
		t.Errorf("%d, from %v", len(list), list[0])
	}
}

func TestOtherCallsAreRefused(t *testing.T) {
	_, _, clients := serve(t)
	for _, c := range []struct {
		version   int
		procedure uint32
		want      error
	}{
		{0, ProcNull, rpc.ProgMismatch},
		{3, ProcNull, nil},
		{3, 6, rpc.ProcUnavail},
		{1, 7, rpc.ProcUnavail},
		{3, ProcMnt, rpc.GarbageArgs},
		{1, ProcUmnt, rpc.GarbageArgs},
	} {
		if _, err := clients[c.version].Call(t.Context(), &rpc.Request{Procedure: c.procedure}); !errors.Is(err, c.want) {
			t.Errorf("version %d, procedure %d: %v, want %v", c.version, c.procedure, err, c.want)
		}
	}
}

// An independent client lets itself be refused, asks for what is there as far as its own port mapper lets it, and unmounts.
func TestGoNFSClientMounts(t *testing.T) {
	s, _, _ := serve(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{s}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), l) }()
	defer func() {
		server.Shutdown(context.Background())
		<-served
	}()
	c, err := vmware.DialTCP("tcp", nil, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := independent.Mount{Client: c, Addr: "["} // where it then looks for a port mapper: nowhere
	auth := vmware.NewAuthUnix("host", 1000, 100).Auth()
	for p, want := range map[string]string{"/nowhere": "MNT3ERR_NOENT", "/secret": "MNT3ERR_ACCES", strings.Repeat("p", 2000): "MNT3ERR_NAMETOOLONG"} {
		if _, err := m.Mount(p, auth); err == nil || err.Error() != want {
			t.Errorf("%.20s: %v, want %s", p, err, want)
		}
	}
	if _, err := m.Mount("/share", auth); err == nil || len(s.Mounted()) != 1 {
		t.Errorf("%v, mounted: %v", err, s.Mounted())
	}
	if err := m.Unmount(); err != nil || len(s.Mounted()) != 0 {
		t.Errorf("%v, mounted: %v", err, s.Mounted())
	}
}

type message interface {
	Encode(*xdr.Encoder)
	decoder
}

var samples = map[string]struct {
	message, fresh message
	wire           string
}{
	"mnt": {&MntResult{Handle: []byte("fh"), Flavors: []rpc.Flavor{1, 0}}, new(MntResult),
		"\x00\x00\x00\x00\x00\x00\x00\x02fh\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00"},
	"mnt refused":     {&MntResult{Status: ErrServerFault}, new(MntResult), "\x00\x00\x27\x16"},
	"old mnt":         {&OldMntResult{Handle: [32]byte{1, 2}}, new(OldMntResult), "\x00\x00\x00\x00\x01\x02" + strings.Repeat("\x00", 30)},
	"old mnt refused": {&OldMntResult{Status: ErrNoEnt}, new(OldMntResult), "\x00\x00\x00\x02"},
	"dump": {&MountedList{{"host", "/d"}}, new(MountedList),
		"\x00\x00\x00\x01\x00\x00\x00\x04host\x00\x00\x00\x02/d\x00\x00\x00\x00\x00\x00"},
	"export": {&ExportList{{Dir: "/a", Groups: []string{"g"}}, {Dir: "/b"}}, new(ExportList), "\x00\x00\x00\x01\x00\x00\x00\x02/a\x00\x00" +
		"\x00\x00\x00\x01\x00\x00\x00\x01g\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02/b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
}

func decode(m decoder, p string) error {
	d := xdr.NewDecoder([]byte(p))
	m.Decode(&d)
	if d.Err() == nil && len(d.Rest()) > 0 {
		return errors.New("something is left")
	}
	return d.Err()
}

func encode(m interface{ Encode(*xdr.Encoder) }) string {
	var e xdr.Encoder
	m.Encode(&e)
	return string(e.Bytes())
}

func TestMessagesLieOnTheWireAsTheRFCSays(t *testing.T) {
	for name, s := range samples {
		if got := encode(s.message); got != s.wire {
			t.Errorf("%s: % x", name, got)
		}
		if err := decode(s.fresh, s.wire); err != nil || !reflect.DeepEqual(s.fresh, s.message) {
			t.Errorf("%s: %v %+v", name, err, s.fresh)
		}
		for n := range s.wire {
			if decode(s.fresh, s.wire[:n]) == nil {
				t.Errorf("%s, cut to %d bytes, is taken", name, n)
			}
		}
	}
}

func TestALengthBeyondTheLimitIsRefused(t *testing.T) {
	long := strings.Repeat("x", maxPath+1)
	for name, m := range map[string]message{
		"a handle":  &MntResult{Handle: make([]byte, maxHandle+1)},
		"flavors":   &MntResult{Flavors: make([]rpc.Flavor, maxFlavors+1)},
		"a host":    &MountedList{{long[:maxName+1], ""}},
		"a mount":   &MountedList{{"", long}},
		"an export": &ExportList{{Dir: long}},
		"a group":   &ExportList{{Groups: []string{long[:maxName+1]}}},
	} {
		if err := decode(m, encode(m)); !errors.Is(err, xdr.ErrTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListsArriveAsTheyWereSent(t *testing.T) {
	text := rapid.StringN(0, 20, maxName)
	rapid.Check(t, func(t *rapid.T) {
		var exports, cameExports ExportList
		var mounts, cameMounts MountedList
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			x := Export{Dir: text.Draw(t, "dir")}
			for range rapid.IntRange(0, 3).Draw(t, "groups") {
				x.Groups = append(x.Groups, text.Draw(t, "group"))
			}
			exports = append(exports, x)
			mounts = append(mounts, Mounted{text.Draw(t, "host"), text.Draw(t, "dir")})
		}
		if err := decode(&cameExports, encode(&exports)); err != nil || !reflect.DeepEqual(cameExports, exports) {
			t.Fatal(err, cameExports)
		}
		if err := decode(&cameMounts, encode(&mounts)); err != nil || !reflect.DeepEqual(cameMounts, mounts) {
			t.Fatal(err, cameMounts)
		}
	})
}

// FuzzResults decodes bytes as each of the results, which are the same when they are sent on.
func FuzzResults(f *testing.F) {
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		list := func() []message {
			return []message{new(MntResult), new(OldMntResult), new(MountedList), new(ExportList)}
		}
		m, again := list()[kind%4], list()[kind%4]
		if decode(m, string(p)) != nil {
			return
		}
		if err := decode(again, encode(m)); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%v\n%+v\nwas\n%+v", err, again, m)
		}
	})
}

// FuzzArgs has a server answer bytes as the arguments of each procedure and version.
func FuzzArgs(f *testing.F) {
	s := NewServer(new(shelf))
	f.Fuzz(func(t *testing.T, version, procedure byte, p []byte) {
		c := &rpc.Call{Args: p}
		c.Version, c.Procedure = uint32(version%3)+1, uint32(procedure)
		s.Serve(t.Context(), c)
	})
}
