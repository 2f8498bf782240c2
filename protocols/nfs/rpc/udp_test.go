package rpc

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// onUDP serves the echo program on a socket and returns a connection to it.
func onUDP(t *testing.T) (e *echo, s *Server, c net.Conn) {
	t.Helper()
	checkLeaks(t)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e = newEcho()
	s = NewServer(ServerOptions{Programs: []Program{e}})
	served := make(chan error, 1)
	go func() { served <- s.ServePacket(context.Background(), socket) }()
	c, err = net.Dial("udp", socket.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(minute))
	t.Cleanup(func() {
		c.Close()
		s.Shutdown(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
		if n := e.pins.Load(); n != 0 {
			t.Errorf("%d pieces of data are not released", n)
		}
	})
	return e, s, c
}

func TestADatagramIsACall(t *testing.T) {
	e, _, c := onUDP(t)
	for _, call := range []struct {
		name    string
		record  []byte
		results string
		want    error
	}{
		{"answered at once", callRecord(5, procEcho, args("args")), "args", nil},
		{"with data", callRecord(5, procData, []byte{0, 0, 0, 3}), "\x00\x00\x00\x03" + string(e.content[:3]) + "\x00", nil},
		{"served", callRecord(5, procDenied, nil), "", AuthTooWeak},
		{"garbage", callRecord(5, procFail, nil), "", GarbageArgs},
		{"of another program", recordOf(&CallHeader{XID: 5, Program: 1}, nil), "", ProgUnavail},
	} {
		// What is no call comes before it and gets no answer; neither does a call whose reply no datagram can carry.
		for _, p := range [][]byte{{}, {1, 2, 3}, callRecord(5, 0, nil)[markLength:30], callRecord(5, procData, []byte{0, 1, 0, 0})[markLength:],
			append([]byte{0, 0, 0, 5, 0, 0, 0, 1}, make([]byte, 16)...)} {
			if _, err := c.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Write(call.record[markLength:]); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, maxDatagram)
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		xid, results, verdict, err := parseReply(buf[:n])
		if xid != 5 || string(results) != call.results || !errors.Is(verdict, call.want) || err != nil {
			t.Errorf("%s: XID %d, %q, %v, %v", call.name, xid, results, verdict, err)
		}
	}
}

func TestADatagramsSenderIsKnown(t *testing.T) {
	e, s, c := onUDP(t)
	call := new(Call)
	call.Remote = addrPort(c.LocalAddr())
	if s.datagram(call, callRecord(1, procEcho, nil)[markLength:]) == nil || call.Remote != netip.MustParseAddrPort(c.LocalAddr().String()) {
		t.Error(call.Remote)
	}
	if e.served.Load() != 1 {
		t.Error("it was not served")
	}
}
