package relay

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

func TestBytesComeThroughBothWaysInOrder(t *testing.T) {
	for name, o := range map[string]Options{
		"plain":              {},
		"tight":              {Buffer: 1},
		"iSCSI":              {ISCSI: true},
		"iSCSI with digests": {ISCSI: true, HeaderDigest: true, DataDigest: true, Buffer: 100_000},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t)
			client, serving := pair(t, start(t, s.addr(), o), s)
			there, back := randomBytes(9<<20), randomBytes(5<<20)
			if o.ISCSI {
				there = stream(300, o)
			}
			var both sync.WaitGroup
			both.Go(func() { send(t, client, there) })
			both.Go(func() { send(t, serving, back) })
			both.Go(func() { expect(t, client, back) })
			expect(t, serving, there)
			both.Wait()
		})
	}
}

func TestTheEndOfOneWayLeavesTheOtherOpen(t *testing.T) {
	s := listen(t)
	client, serving := pair(t, start(t, s.addr(), Options{}), s)
	send(t, client, []byte("that is all"))
	_ = client.CloseWrite()
	expect(t, serving, []byte("that is all"))
	expectEnd(t, serving, Finish)
	send(t, serving, []byte("and this is the answer"))
	serving.Close()
	expect(t, client, []byte("and this is the answer"))
	expectEnd(t, client, Finish)
}

func TestAResetIsPassedOn(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	end(client, Reset)
	expectEnd(t, serving, Reset)
	client, serving = pair(t, r, s)
	end(serving, Reset)
	expectEnd(t, client, Reset)
}

func TestCutEndsAllConnectionsOnBothSides(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	for _, how := range []Ending{Reset, Finish} {
		var ends []*net.TCPConn
		for range 3 {
			client, serving := pair(t, r, s)
			ends = append(ends, client, serving)
		}
		if n := r.Cut(how); n != 3 {
			t.Errorf("%d connections were cut", n)
		}
		for _, c := range ends {
			expectEnd(t, c, how)
		}
	}
}

func TestCutEveryCutsUntilItsContextEnds(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		r.CutEvery(ctx, 5*time.Millisecond, Reset)
		close(stopped)
	}()
	for range 3 {
		expectRefusal(t, r)
		s.accept()
	}
	cancel()
	<-stopped
	client, serving := pair(t, r, s)
	expectSilence(t, client)
	expectSilence(t, serving)
}

func TestNewConnectionsAreRefusedWhileAskedFor(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	before, _ := pair(t, r, s)
	r.Refuse(true)
	expectRefusal(t, r)
	expectSilence(t, before)
	r.Refuse(false)
	client, serving := pair(t, r, s)
	send(t, client, []byte("welcome"))
	expect(t, serving, []byte("welcome"))
}

func TestABlackHoleSwallowsOneWayAndTellsNobody(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	leaving, left := pair(t, r, s)
	r.BlackHole(ToServer, true)
	send(t, client, []byte("lost"))
	leaving.Close()
	send(t, serving, []byte("heard"))
	expect(t, client, []byte("heard"))
	expectSilence(t, serving)
	expectSilence(t, left)

	// A stream with a hole in it goes no further; what has lost nothing does.
	r.BlackHole(ToServer, false)
	for _, c := range []net.Conn{client, serving, left} {
		expectEnd(t, c, Reset)
	}
	client, serving = pair(t, r, s)
	r.BlackHole(Both, true)
	r.BlackHole(Both, false)
	send(t, client, []byte("heard"))
	expect(t, serving, []byte("heard"))
}

func TestABlackHoleHidesTheEndOfTheServer(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	r.BlackHole(ToClient, true)
	end(serving, Reset)
	expectSilence(t, client)
	if n := r.Cut(Finish); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	expectEnd(t, client, Finish)
}

func TestAMovedServerGetsTheNewConnections(t *testing.T) {
	s, moved := listen(t), listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	r.SetUpstream(moved.addr())
	after, there := pair(t, r, moved)
	for _, ends := range [][2]net.Conn{{client, serving}, {after, there}} {
		send(t, ends[0], []byte("x"))
		expect(t, ends[1], []byte("x"))
	}
}

func TestAClientWhoseServerIsAwayIsReset(t *testing.T) {
	s := listen(t)
	s.listener.Close()
	expectRefusal(t, start(t, s.addr(), Options{}))
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := timers(t)
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true})
	client, serving := pair(t, r, s)
	held, heldServing := pair(t, r, s)
	r.Delay(Both, time.Hour)
	send(t, client, make([]byte, 480))
	send(t, serving, make([]byte, 480))
	h := r.Hold(func(p PDU) bool { return p.Opcode() == iscsi.OpSCSICommand })
	send(t, held, write(1, 0, true, []byte("data")))
	<-h.Arrived()
	r.Close()
	for _, c := range []net.Conn{client, serving, held, heldServing} {
		expectEnd(t, c, Reset)
	}
	if _, err := h.Answer(t.Context()); err == nil {
		t.Error("what was held had an answer")
	}
	noGoroutines(t)
	if n := timers(t); n != before {
		t.Errorf("%d timers are left", n-before)
	}
	if c, err := net.Dial("tcp", r.Addr()); err == nil {
		c.Close()
		t.Error("a closed relay accepts")
	}
}

// timers counts the kernel's timers that this process has open.
func timers(t *testing.T) (n int) {
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(f); err == nil && strings.Contains(to, "timerfd") {
			n++
		}
	}
	return n
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p)
	return p
}
