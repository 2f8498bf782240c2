package portmap

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"time"

	independent "github.com/vmware/go-nfs-client/nfs/rpc"
	"pgregory.net/rapid"

	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

var entries = Server{{Program, Version, TCP, 111}, {Program, Version, UDP, 111}, {100005, 1, TCP, 20048}, {100005, 3, TCP, 20049}, {100003, 3, TCP, 2049}}

// serve has the entries served on both protocols and returns the address.
func serve(t *testing.T) (tcp, udp string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{entries}})
	served := make(chan error, 2)
	go func() { served <- s.Serve(context.Background(), l) }()
	go func() { served <- s.ServePacket(context.Background(), socket) }()
	t.Cleanup(func() {
		s.Shutdown(context.Background())
		for range 2 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	return l.Addr().String(), socket.LocalAddr().String()
}

// getPort is the arguments of a GETPORT and its result.
type getPort struct {
	Mapping
	port uint32
}

func (g *getPort) Decode(d *xdr.Decoder) { g.port = d.Uint32() }

func TestGetPortAnswersTheFixedEntries(t *testing.T) {
	tcp, _ := serve(t)
	c := rpc.NewClient(rpc.ClientOptions{Address: tcp, Program: Program, Version: Version})
	defer c.Close()
	for _, x := range []struct {
		name  string
		asked Mapping
		want  uint32
	}{
		{"NFS", Mapping{100003, 3, TCP, 0}, 2049},
		{"NFS over UDP", Mapping{100003, 3, UDP, 0}, 0},
		{"NFS version 4", Mapping{100003, 4, TCP, 0}, 2049},
		{"MOUNT version 3", Mapping{100005, 3, TCP, 0}, 20049},
		{"MOUNT version 1", Mapping{100005, 1, TCP, 0}, 20048},
		{"itself", Mapping{Program, Version, UDP, 0}, 111},
		{"NLM", Mapping{100021, 4, TCP, 0}, 0},
	} {
		g := getPort{Mapping: x.asked}
		reply, err := c.Call(t.Context(), &rpc.Request{Procedure: ProcGetPort, Args: &g.Mapping})
		if err == nil {
			err = reply.Decode(&g)
		}
		if reply.Release(); err != nil || g.port != x.want {
			t.Errorf("%s: %d, want %d, %v", x.name, g.port, x.want, err)
		}
	}
}

func TestDumpListsTheEntries(t *testing.T) {
	tcp, _ := serve(t)
	c := rpc.NewClient(rpc.ClientOptions{Address: tcp, Program: Program, Version: Version})
	defer c.Close()
	reply, err := c.Call(t.Context(), &rpc.Request{Procedure: ProcDump})
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Release()
	var list Mappings
	if err := reply.Decode(&list); err != nil || !reflect.DeepEqual(Server(list), entries) {
		t.Errorf("%v %v", list, err)
	}
}

func TestNobodyRegisters(t *testing.T) {
	tcp, _ := serve(t)
	c := rpc.NewClient(rpc.ClientOptions{Address: tcp, Program: Program, Version: Version})
	defer c.Close()
	for _, procedure := range []uint32{ProcSet, ProcUnset} {
		reply, err := c.Call(t.Context(), &rpc.Request{Procedure: procedure, Args: &Mapping{100003, 3, TCP, 666}})
		if err != nil || string(reply.Results) != "\x00\x00\x00\x00" {
			t.Errorf("procedure %d: %v % x", procedure, err, reply.Results)
		}
	}
	for procedure, want := range map[uint32]error{5: rpc.ProcUnavail, 6: rpc.ProcUnavail, ProcSet: rpc.GarbageArgs, ProcGetPort: rpc.GarbageArgs, ProcNull: nil} {
		if _, err := c.Call(t.Context(), &rpc.Request{Procedure: procedure}); !errors.Is(err, want) {
			t.Errorf("procedure %d without arguments: %v, want %v", procedure, err, want)
		}
	}
	later := rpc.NewClient(rpc.ClientOptions{Address: tcp, Program: Program, Version: 4})
	defer later.Close()
	if _, err := later.Call(t.Context(), &rpc.Request{}); !errors.Is(err, rpc.ProgMismatch) {
		t.Errorf("version 4: %v", err)
	}
}

func TestADatagramIsAnswered(t *testing.T) {
	_, udp := serve(t)
	c, err := net.Dial("udp", udp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var e xdr.Encoder
	(&rpc.CallHeader{XID: 3, Program: Program, Version: Version, Procedure: ProcGetPort}).Encode(&e)
	(&Mapping{100003, 3, TCP, 0}).Encode(&e)
	if _, err := c.Write(e.Bytes()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if want := "\x00\x00\x00\x03\x00\x00\x00\x01" + string(make([]byte, 16)) + "\x00\x00\x08\x01"; err != nil || string(buf[:n]) != want {
		t.Errorf("% x, %v", buf[:n], err)
	}
}

// An independent client finds what it looks for.
func TestGoNFSClientFindsThePorts(t *testing.T) {
	tcp, _ := serve(t)
	c, err := independent.DialTCP("tcp", nil, tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := independent.Portmapper{Client: c}
	for program, want := range map[uint32]int{100003: 2049, 100005: 20049, 100021: 0} {
		if port, err := p.Getport(independent.Mapping{Prog: program, Vers: 3, Prot: independent.IPProtoTCP}); err != nil || port != want {
			t.Errorf("program %d: port %d, %v", program, port, err)
		}
	}
}

func TestMappingsArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := Mappings(rapid.SliceOfN(rapid.Make[Mapping](), 1, 20).Draw(t, "mappings"))
		var e xdr.Encoder
		sent.Encode(&e)
		d := xdr.NewDecoder(e.Bytes())
		var came Mappings
		if came.Decode(&d); d.Err() != nil || !reflect.DeepEqual(came, sent) || len(d.Rest()) != 0 {
			t.Fatalf("%v %v", came, d.Err())
		}
		d = xdr.NewDecoder(e.Bytes()[:rapid.IntRange(0, e.Len()-1).Draw(t, "cut")])
		if came.Decode(&d); d.Err() == nil {
			t.Fatal("a cut list is taken")
		}
	})
}

// FuzzMappings decodes what a port mapper answers, and answers what a client asks.
func FuzzMappings(f *testing.F) {
	f.Fuzz(func(t *testing.T, procedure byte, p []byte) {
		d := xdr.NewDecoder(p)
		var list, again Mappings
		if list.Decode(&d); d.Err() == nil {
			var e xdr.Encoder
			list.Encode(&e)
			d := xdr.NewDecoder(e.Bytes())
			if again.Decode(&d); d.Err() != nil || !reflect.DeepEqual(again, list) {
				t.Errorf("%v, was %v: %v", again, list, d.Err())
			}
		}
		c := &rpc.Call{Args: p}
		c.Procedure = uint32(procedure)
		if !entries.Inline(c) {
			t.Error("it would wait")
		}
	})
}
