package rpc

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/sock/socktest"
)

func args(p string) []byte { return []byte(p) }

func TestACallIsAnsweredWithTheProgramsVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		defer r.end()
		c := r.raw()
		defer c.Close()
		head := CallHeader{XID: 9, Program: echoProgram, Version: echoHigh}
		with := func(f func(*CallHeader)) []byte {
			h := head
			f(&h)
			return recordOf(&h, nil)
		}
		of3 := callRecord(9, 0, nil)
		of3[markLength+11] = 3
		for _, call := range []struct {
			name   string
			record []byte
			want   error
		}{
			{"NULL", with(func(*CallHeader) {}), nil},
			{"NULL of the lowest version", with(func(h *CallHeader) { h.Version = echoLow }), nil},
			{"another program", with(func(h *CallHeader) { h.Program++ }), ProgUnavail},
			{"a version below", with(func(h *CallHeader) { h.Version = echoLow - 1 }), ProgMismatch},
			{"a version above", with(func(h *CallHeader) { h.Version = echoHigh + 1 }), ProgMismatch},
			{"an unknown procedure", callRecord(9, 99, nil), ProcUnavail},
			{"garbage", callRecord(9, procFail, nil), GarbageArgs},
			{"weak credentials", callRecord(9, procDenied, nil), AuthTooWeak},
			{"unknown credentials", append(callRecord(9, 0, nil)[:markLength+24], 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), AuthRejectedCred},
			{"RPC version 3", of3, ErrRPCMismatch},
		} {
			c.send(call.record)
			xid, results, verdict := c.reply()
			if xid != 9 || !errors.Is(verdict, call.want) || len(results) != 0 {
				t.Errorf("%s: XID %d, %v, want %v, results %q", call.name, xid, verdict, call.want, results)
			}
			var versions *MismatchError
			if errors.As(verdict, &versions) && errors.Is(call.want, ProgMismatch) && (versions.Low != echoLow || versions.High != echoHigh) {
				t.Errorf("%s: %v", call.name, versions)
			}
		}
	})
}

func TestAHitOvertakesASlowCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		defer r.end()
		c := r.raw()
		defer c.Close()
		c.send(callRecord(1, procSlow, args("slow")))
		c.send(callRecord(2, procEcho, args("fast")))
		if xid, results, _ := c.reply(); xid != 2 || string(results) != "fast" {
			t.Errorf("XID %d, %q", xid, results)
		}
		r.echo.open <- struct{}{}
		if xid, results, _ := c.reply(); xid != 1 || string(results) != "slow" {
			t.Errorf("XID %d, %q", xid, results)
		}
	})
}

// What a call on a goroutine has as arguments is not touched by calls that come behind it.
func TestArgumentsOfASlowCallStay(t *testing.T) {
	for name, length := range map[string]int{"short": 100, "long": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, socktest.NewPipeListener())
				defer r.end()
				c := r.raw()
				defer c.Close()
				want := slices.Repeat([]byte{'s'}, length)
				c.send(callRecord(1, procSlow, want))
				for xid := uint32(2); xid < 50; xid++ {
					c.send(callRecord(xid, procEcho, slices.Repeat([]byte{'x'}, length)))
					c.reply()
				}
				r.echo.open <- struct{}{}
				if _, results, _ := c.reply(); string(results) != string(want) {
					t.Errorf("%.60q", results)
				}
			})
		})
	}
}

func TestDataFollowsTheResultsPadded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		defer r.end()
		c := r.raw()
		defer c.Close()
		for _, n := range []int{0, 1, 2, 3, 4, 4096, 65537, 1 << 20} {
			for _, procedure := range []uint32{procData, procLate} {
				c.send(callRecord(1, procedure, []byte{0, byte(n >> 16), byte(n >> 8), byte(n)}))
				_, results, verdict := c.reply()
				if verdict != nil || len(results) != 4+n+(-n&3) || string(results[4:4+n]) != string(r.echo.content[:n]) {
					t.Errorf("%d bytes: %v, %d came", n, verdict, len(results))
				}
				synctest.Wait()
				if pins := r.echo.pins.Load(); pins != 0 {
					t.Errorf("%d bytes: %d pins", n, pins)
				}
			}
		}
	})
}

// With all calls taken the reader waits; nothing is lost, and it goes on when one ends.
func TestMoreCallsThanAllowedWaitInTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) { o.Limits.Calls = 3 })
		defer r.end()
		c := r.raw()
		defer c.Close()
		var wire []byte
		for xid := range uint32(10) {
			wire = append(wire, callRecord(xid, procSlow, nil)...)
		}
		go c.Write(wire)
		came := make(map[uint32]bool)
		for range 10 {
			synctest.Wait()
			if n := len(r.echo.entered); n > 3 {
				t.Fatalf("%d calls at a time", n)
			}
			<-r.echo.entered
			r.echo.open <- struct{}{}
			xid, _, _ := c.reply()
			came[xid] = true
		}
		if len(came) != 10 {
			t.Errorf("%d replies", len(came))
		}
	})
}

// counted is a Buffers that knows what is out.
type counted struct {
	mu              sync.Mutex
	out, most, left int
}

func (b *counted) Get(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.left {
		return nil
	}
	b.out += n
	b.left -= n
	b.most = max(b.most, b.out)
	return make([]byte, n)
}

func (b *counted) Put(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out -= len(p)
	b.left += len(p)
}

func TestMemoryOfRecordsIsBoundedAndComesBack(t *testing.T) {
	for name, left := range map[string]int{"pool": 1 << 30, "exhausted pool": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &counted{left: left}
				r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) {
					o.Limits.Record, o.Limits.Memory, o.Buffers = 100<<10, 250<<10, b
				})
				defer r.end()
				c := r.raw()
				long := make([]byte, 90<<10)
				var wire []byte
				for xid := range uint32(6) {
					wire = append(wire, callRecord(xid, procSlow, long)...)
				}
				go c.Write(wire)
				for range 6 {
					synctest.Wait()
					<-r.echo.entered
					r.echo.open <- struct{}{}
					if _, results, verdict := c.reply(); verdict != nil || len(results) != len(long) {
						t.Errorf("%v, %d bytes", verdict, len(results))
					}
				}
				go c.Write(callRecord(7, procEcho, long)[:80<<10]) // it never comes whole
				synctest.Wait()
				c.Close()
				synctest.Wait()
				if b.most > 250<<10 || b.out != 0 {
					t.Errorf("%d bytes at most, %d are not given back", b.most, b.out)
				}
			})
		})
	}
}

// A client that sends calls and takes no replies gets its calls no longer read, and is dropped.
func TestAClientThatNeverReadsIsDropped(t *testing.T) {
	for name, procedure := range map[string]uint32{"hits": procData, "slow calls": procLate} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) { o.StallTimeout = time.Minute; o.Limits.Calls = 4 })
				defer r.end()
				c := r.raw()
				go func() {
					for {
						if _, err := c.Write(callRecord(1, procedure, []byte{0, 4, 0, 0})); err != nil {
							return
						}
					}
				}()
				synctest.Wait()
				if n := r.echo.pins.Load(); n == 0 || n > 4*(8+1+4) { // of 64 KiB: 2 MiB and one reply more, or the calls that are allowed
					t.Errorf("%d pieces are pinned", n)
				}
				time.Sleep(time.Minute + time.Second)
				synctest.Wait()
				if n := r.echo.pins.Load(); n != 0 || len(r.server.Conns()) != 0 {
					t.Errorf("%d pieces and %d connections are left", n, len(r.server.Conns()))
				}
			})
		})
	}
}

// A client that is slow but goes on is served, however long it takes.
func TestASlowReaderIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) { o.StallTimeout = time.Minute })
		defer r.end()
		c := r.raw()
		defer c.Close()
		c.send(callRecord(1, procData, []byte{0, 16, 0, 0}))
		p := make([]byte, 64<<10)
		for got := 0; got < 1<<20; {
			time.Sleep(40 * time.Second)
			n, err := c.Read(p)
			if got += n; err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
		}
	})
}

func TestASilentPeerIsDropped(t *testing.T) {
	for _, c := range []struct {
		name  string
		sends []byte
		after time.Duration
	}{
		{"idle", callRecord(1, procEcho, nil), 10 * time.Minute},
		{"inside a mark", callRecord(1, procEcho, nil)[:2], 30 * time.Second},
		{"inside a record", callRecord(1, procEcho, nil)[:20], 30 * time.Second},
		{"inside a long record", callRecord(1, procEcho, make([]byte, 1<<20))[:1<<19], 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, socktest.NewPipeListener())
				defer r.end()
				peer := r.raw()
				defer peer.Close()
				peer.send(c.sends)
				if c.name == "idle" {
					peer.reply()
				}
				time.Sleep(c.after * 7 / 10)
				synctest.Wait()
				if len(r.server.Conns()) != 1 {
					t.Fatal("it is dropped too early")
				}
				time.Sleep(c.after * 4 / 10)
				synctest.Wait()
				if len(r.server.Conns()) != 0 || !peer.closed() {
					t.Error("it is still there")
				}
			})
		})
	}
}

func TestAClientThatWaitsForASlowCallIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		defer r.end()
		c := r.raw()
		defer c.Close()
		c.send(callRecord(1, procSlow, nil))
		time.Sleep(35 * time.Minute)
		r.echo.open <- struct{}{}
		if xid, _, verdict := c.reply(); xid != 1 || verdict != nil {
			t.Error(xid, verdict)
		}
		c.send(callRecord(2, procEcho, nil)) // on the same connection
		if xid, _, verdict := c.reply(); xid != 2 || verdict != nil {
			t.Error(xid, verdict)
		}
	})
}

// countedWrites is a connection that knows how often it was written to.
type countedWrites struct {
	net.Conn
	n *atomic.Int64
}

func (c countedWrites) Write(p []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(p)
}

// counting is a listener of such connections.
type counting struct {
	*socktest.PipeListener
	writes atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.PipeListener.Accept()
	return countedWrites{c, &l.writes}, err
}

// Calls that come together, and are answered at once, are answered together.
func TestRepliesThatAreReadyTogetherLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &counting{PipeListener: socktest.NewPipeListener()}
		r := newRig(t, l)
		r.dial = l.Dial
		defer r.end()
		c := r.raw()
		defer c.Close()
		var wire []byte
		for xid := range uint32(20) {
			wire = append(wire, callRecord(xid, procEcho, args("hits"))...)
		}
		c.send(wire)
		for xid := range uint32(20) {
			if got, _, _ := c.reply(); got != xid {
				t.Errorf("XID %d, not %d", got, xid)
			}
		}
		if n := l.writes.Load(); n != 1 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestWhatIsNoCallEndsTheConnection(t *testing.T) {
	for name, p := range map[string][]byte{
		"an empty record":   marked(make([]byte, markLength)),
		"a reply":           marked([]byte("....\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00")),
		"a cut header":      marked(callRecord(1, procEcho, nil)[:30]),
		"text":              []byte("GET / HTTP/1.1\r\n\r\n"),
		"an oversized one":  {0xff, 0xff, 0xff, 0xff},
		"a long cut header": marked(append(callRecord(1, procEcho, nil)[:28], make([]byte, 10000)...)[:9000:9000])[:9000],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, socktest.NewPipeListener())
				defer r.end()
				c := r.raw()
				defer c.Close()
				_, _ = c.Write(p) // it may be cut off
				if name != "a long cut header" && !c.closed() {
					t.Error("it is open, or something was sent")
				}
			})
		})
	}
}

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) { o.Limits.Connections = 2 })
		defer r.end()
		a, b, c := r.raw(), r.raw(), r.raw()
		defer a.Close()
		defer b.Close()
		if !c.closed() {
			t.Error("the third is served")
		}
		a.send(callRecord(1, procEcho, nil))
		a.reply()
		b.Close()
		synctest.Wait()
		d := r.raw()
		defer d.Close()
		d.send(callRecord(1, procEcho, nil))
		d.reply()
	})
}

// Over TCP: calls in one go, replies in one go, and the caller's address.
func TestAServerOnTheLoopback(t *testing.T) {
	checkLeaks(t)
	r := newRig(t, loopback(t))
	defer r.end()
	c := r.raw()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(minute))
	var wire []byte
	const calls = 2000
	for xid := range uint32(calls) {
		wire = append(wire, callRecord(xid, procEcho, args("some arguments"))...)
	}
	go c.Write(wire)
	for want := range uint32(calls) {
		if xid, results, verdict := c.reply(); xid != want || verdict != nil || string(results) != "some arguments\x00\x00" {
			t.Fatalf("XID %d, %v, %q", xid, verdict, results)
		}
	}
	conns := r.server.Conns()
	if len(conns) != 1 || conns[0].Remote != netip.MustParseAddrPort(c.LocalAddr().String()) || conns[0].Calls != calls || conns[0].InFlight != 0 {
		t.Errorf("%+v", conns)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil || !c.closed() {
		t.Error("a half-closed connection is not closed")
	}
}

// A client that got no answers asks again over another connection, and goes on from there: what it left behind in this one would come after that.
func TestCallsThatWaitAreNotServedOnceTheirClientHasClosedTheConnection(t *testing.T) {
	checkLeaks(t)
	r := newRig(t, loopback(t), func(o *ServerOptions) { o.Limits.Calls = 1 })
	defer r.end()
	c := r.raw()
	defer c.Close()
	for xid := uint32(1); xid <= 3; xid++ {
		c.send(callRecord(xid, procSlow, nil))
	}
	<-r.echo.entered
	c.Close()
	for _, at := range r.conns() {
		for !at.from.Ended() {
			runtime.Gosched()
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.server.ending.Wait()
	}()
	r.echo.open <- struct{}{}
	select {
	case xid := <-r.echo.entered:
		t.Errorf("call %d is served", xid)
		close(r.echo.open)
	case <-ended:
	}
}

// conns are the connections that there are.
func (r *rig) conns() []*conn {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return slices.Collect(maps.Keys(r.server.mu.conns))
}
