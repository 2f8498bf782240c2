package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer is a server that does what the test says, call by call.
type peer struct {
	*raw
	in *records
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	in, _ := newRecords(nc, maxRecord)
	return &peer{&raw{t, nc}, in}
}

// accept takes a connection that a client makes.
func accept(t testing.TB, l *pipeListener) *peer {
	t.Helper()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

// call reads a call; the arguments stay valid.
func (p *peer) call() *Call {
	p.t.Helper()
	record, _, err := p.in.next()
	if err != nil {
		p.t.Fatal(err)
	}
	c := new(Call)
	if err := c.begin(slices.Clone(record)); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// answer sends the arguments of a call back as its results.
func (p *peer) answer(c *Call) {
	p.t.Helper()
	c.Results.Fixed(c.Args)
	p.send(c.seal())
}

// outcome is what a call came to.
type outcome struct {
	results string
	err     error
}

// start makes a call on a goroutine.
func start(ctx context.Context, c *Client, r *Request) <-chan outcome {
	came := make(chan outcome, 1)
	go func() {
		reply, err := c.Call(ctx, r)
		came <- outcome{string(reply.Results), err}
		reply.Release()
	}()
	return came
}

func (o outcome) check(t testing.TB, results string, want error) {
	t.Helper()
	if o.results != results || !errors.Is(o.err, want) {
		t.Errorf("%q, %v; want %q, %v", o.results, o.err, results, want)
	}
}

func request(args string, idempotent bool) *Request {
	return &Request{Procedure: procEcho, Args: bytes(args), Idempotent: idempotent}
}

// story runs a test in a bubble with a client that talks to a peer. In the end the client is closed, and nothing may be left.
func story(t *testing.T, play func(t *testing.T, c *Client, l *pipeListener), change ...func(*ClientOptions)) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		o := ClientOptions{Address: "peer", Program: echoProgram, Version: echoHigh, Dial: l.dial}
		for _, f := range change {
			f(&o)
		}
		c := NewClient(o)
		play(t, c, l)
		c.Close()
		if n := c.Stats().Outstanding; n != 0 {
			t.Errorf("%d calls are outstanding", n)
		}
	})
}

func TestClientAndServerFitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, newPipeListener())
		defer r.end()
		c := r.client()
		defer c.Close()
		for _, length := range []int{0, 4, 1024, shortMax, 100 << 10, 1 << 20} {
			want := strings.Repeat("a", length)
			(<-start(t.Context(), c, request(want, false))).check(t, want, nil)
			pieces := [][]byte{[]byte(want), nil, []byte("tail.")}
			(<-start(t.Context(), c, &Request{Procedure: procEcho, Args: bytes("head"), Data: pieces})).check(t, "head"+want+"tail.\x00\x00\x00", nil)
		}
		for procedure, want := range map[uint32]error{procFail: GarbageArgs, procDenied: AuthTooWeak, 99: ProcUnavail, 0: nil} {
			(<-start(t.Context(), c, &Request{Procedure: procedure})).check(t, "", want)
		}
	})
}

func TestRepliesFindTheirCallsInAnyOrder(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		var came []<-chan outcome
		for i := range 20 {
			came = append(came, start(t.Context(), c, request(fmt.Sprintf("%04d", i), false)))
		}
		p := accept(t, l)
		var calls []*Call
		for range 20 {
			calls = append(calls, p.call())
		}
		for _, call := range slices.Backward(calls) {
			p.answer(call)
		}
		for i, o := range came {
			(<-o).check(t, fmt.Sprintf("%04d", i), nil)
		}
	})
}

func TestCredentialsAreForwarded(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		r := request("", true)
		r.Cred = Credentials{Flavor: AuthSys, UID: 7, GID: 8, Machine: []byte("host")}
		r.Cred.SetGIDs([]uint32{9, 10})
		came := start(t.Context(), c, r)
		p := accept(t, l)
		call := p.call()
		if h := call.CallHeader; h.Cred.UID != 7 || h.Cred.GID != 8 || !slices.Equal(h.Cred.GIDs(), []uint32{9, 10}) || h.Program != echoProgram ||
			h.Version != echoHigh || h.Procedure != procEcho {
			t.Errorf("%+v", h)
		}
		p.answer(call)
		(<-came).check(t, "", nil)
	})
}

// The call that may run twice goes to the next connection, under its XID; the other one's outcome is unknown.
func TestALostConnectionIsHealed(t *testing.T) {
	for name, lose := range map[string]func(p *peer, c *Call){
		"closed":                func(*peer, *Call) {},
		"cut inside a reply":    func(p *peer, c *Call) { p.send(c.seal()[:10]) },
		"cut inside a mark":     func(p *peer, c *Call) { p.send([]byte{0x80}) },
		"cut in a long reply":   func(p *peer, c *Call) { p.send(fragments(make([]byte, 1<<20))[:1<<19]) },
		"after a reply of 2GiB": func(p *peer, c *Call) { p.send([]byte{0xff, 0xff, 0xff, 0xff}) },
		"after no reply":        func(p *peer, c *Call) { p.send(callRecord(c.XID, procEcho, nil)) },
		"after a cut header":    func(p *peer, c *Call) { p.send(marked(c.seal()[:20])) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *Client, l *pipeListener) {
				safe := start(t.Context(), c, request("safe", true))
				p := accept(t, l)
				first := p.call()
				unsafe := start(t.Context(), c, request("once", false))
				p.call()
				lose(p, first)
				p.Close()
				(<-unsafe).check(t, "", ErrOutcomeUnknown)
				p = accept(t, l)
				again := p.call()
				if again.XID != first.XID {
					t.Errorf("XID %08x, was %08x", again.XID, first.XID)
				}
				p.answer(again)
				(<-safe).check(t, "safe", nil)
				if s := c.Stats(); s.Connects != 2 || s.Reissued != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A call that was never sent is sent on the next connection, whatever it is.
func TestACallThatWasNotSentIsSentLater(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		var came []<-chan outcome
		for i := range 3 {
			came = append(came, start(t.Context(), c, request(fmt.Sprint("call", i), false)))
			synctest.Wait()
		}
		time.Sleep(20 * time.Second) // connections fail for their time
		p := accept(t, l)
		for i := range came {
			call := p.call()
			if want := fmt.Sprint("call", i); !strings.HasPrefix(string(call.Args), want) {
				t.Errorf("%q instead of %s: not in order", call.Args, want)
			}
			p.answer(call)
		}
		for i, o := range came {
			(<-o).check(t, fmt.Sprint("call", i)+"\x00\x00\x00", nil)
		}
	})
}

func TestAnIdleConnectionThatTheServerDropsIsNotNoticed(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		for range 3 {
			came := start(t.Context(), c, request("once", false))
			p := accept(t, l)
			p.answer(p.call())
			(<-came).check(t, "once", nil)
			p.Close()
			synctest.Wait()
		}
	})
}

// The client closes what is idle itself, so that no call meets a server that does.
func TestAnIdleConnectionIsClosed(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		came := start(t.Context(), c, request("", false))
		p := accept(t, l)
		p.answer(p.call())
		(<-came).check(t, "", nil)
		begun := time.Now()
		if !p.closed() {
			t.Error("something came")
		}
		if idle := time.Since(begun); idle < time.Minute || idle > time.Minute+10*time.Second {
			t.Errorf("after %v", idle)
		}
		came = start(t.Context(), c, request("next", false))
		p = accept(t, l)
		p.answer(p.call())
		(<-came).check(t, "next", nil)
	})
}

func TestACallEndsAtItsDeadline(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		unconnected := start(ctx, c, request("", true))
		(<-unconnected).check(t, "", ErrNotSent)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		own := start(t.Context(), c, request("", true))
		p := accept(t, l)
		late := p.call()
		begun = time.Now()
		stop := keepAlive(p)
		o := <-own
		o.check(t, "", ErrOutcomeUnknown)
		o.check(t, "", context.DeadlineExceeded)
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("without a deadline of its own it took %v", took)
		}
		stop()
		cancelled, cancel := context.WithCancel(t.Context())
		came := start(cancelled, c, request("next", true))
		next := p.call()
		cancel()
		(<-came).check(t, "", context.Canceled)
		came = start(t.Context(), c, request("last", true))
		p.answer(late) // and nobody minds
		p.answer(next)
		p.answer(p.call())
		(<-came).check(t, "last", nil)
		if s := c.Stats(); s.Unknown != 2 || s.Connects != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// keepAlive answers pings, until it is told to stop.
func keepAlive(p *peer) (stop func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			record, _, err := p.in.next()
			if err != nil {
				return
			}
			c := new(Call)
			if c.begin(record) == nil && c.Procedure == 0 {
				p.send(c.seal())
			}
		}
	}()
	return func() {
		_ = p.SetReadDeadline(time.Now())
		<-over
		_ = p.SetReadDeadline(time.Time{})
		p.in.inside = false
	}
}

// A server that is there but slow is waited for; one that is not is left, and the call goes elsewhere.
func TestASilentServerIsAskedForASignOfLife(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		came := start(t.Context(), c, request("slow", true))
		p := accept(t, l)
		slow := p.call()
		for range 3 {
			ping := p.call()
			if ping.Procedure != 0 || len(ping.Args) != 0 {
				t.Fatalf("procedure %d", ping.Procedure)
			}
			p.answer(ping)
		}
		p.call() // the fourth gets no answer
		begun := time.Now()
		if !p.closed() || time.Since(begun) != 10*time.Second {
			t.Errorf("the connection is left after %v", time.Since(begun))
		}
		p = accept(t, l)
		again := p.call()
		if again.XID != slow.XID {
			t.Error("another call comes")
		}
		p.answer(again)
		(<-came).check(t, "slow", nil)
		if s := c.Stats(); s.Unknown != 0 {
			t.Errorf("%+v", s)
		}
	}, func(o *ClientOptions) { o.CallTimeout = time.Hour })
}

func TestAtMostSoManyCallsAreOutstanding(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		var came []<-chan outcome
		for range 10 {
			came = append(came, start(t.Context(), c, request("", false)))
		}
		p := accept(t, l)
		for range 10 {
			synctest.Wait()
			if n := c.Stats().Outstanding; n > 4 {
				t.Fatalf("%d are", n)
			}
			p.answer(p.call())
		}
		for _, o := range came {
			(<-o).check(t, "", nil)
		}
		p.Close()
	}, func(o *ClientOptions) { o.Outstanding = 4 })
}

func TestACallThatGetsNoTurnEndsAtItsDeadline(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		first := start(t.Context(), c, request("", false))
		p := accept(t, l)
		call := p.call()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		(<-start(ctx, c, request("", false))).check(t, "", ErrNotSent)
		p.answer(call)
		(<-first).check(t, "", nil)
	}, func(o *ClientOptions) { o.Outstanding = 1 })
}

// Call returns only when nobody refers to its data any more, which a peer that doesn't read can't hold up.
func TestDataIsTheCallersAgainWhenACallReturns(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		data := slices.Repeat([]byte{'d'}, 100<<10)
		r := &Request{Procedure: procEcho, Data: [][]byte{data}}
		begun := time.Now()
		came := start(ctx, c, r)
		p := accept(t, l)
		(<-came).check(t, "", ErrOutcomeUnknown)
		if took := time.Since(begun); took != 6*time.Second {
			t.Errorf("it took %v", took)
		}
		clear(data)
		var got []byte
		buf := make([]byte, 64<<10)
		for {
			n, err := p.Read(buf)
			if got = append(got, buf[:n]...); err != nil {
				break
			}
		}
		if n := strings.Count(string(got[min(len(got), 48):]), "\x00"); n != 0 {
			t.Errorf("%d bytes are sent that the caller wrote afterwards", n)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *pipeListener) {
		sent := start(t.Context(), c, request("sent", true))
		p := accept(t, l)
		p.call()
		held := start(t.Context(), c, &Request{Data: [][]byte{make([]byte, 1<<20)}})
		synctest.Wait()
		c.Close()
		for _, came := range []<-chan outcome{sent, held} {
			o := <-came
			o.check(t, "", ErrOutcomeUnknown)
			o.check(t, "", ErrClosed)
		}
		o := <-start(t.Context(), c, request("", true))
		o.check(t, "", ErrNotSent)
		o.check(t, "", ErrClosed)
		if err := p.in.fill(make([]byte, 2<<20)); err == nil {
			t.Error("the connection is open")
		}
	})
}

func TestCloseEndsACallThatHasNoConnection(t *testing.T) {
	story(t, func(t *testing.T, c *Client, _ *pipeListener) {
		came := start(t.Context(), c, request("", true))
		synctest.Wait()
		c.Close()
		(<-came).check(t, "", ErrNotSent)
	})
}

// Attempts to connect become rarer, and the error tells why there is no connection.
func TestAServerThatIsAwayIsTriedAgain(t *testing.T) {
	away := errors.New("away")
	var attempts []time.Time
	story(t, func(t *testing.T, c *Client, _ *pipeListener) {
		o := <-start(t.Context(), c, request("", true))
		o.check(t, "", ErrNotSent)
		o.check(t, "", away)
		for i := 1; i < len(attempts); i++ {
			if want := 50 * time.Millisecond << min(i-1, redialDoublings); attempts[i].Sub(attempts[i-1]) != want {
				t.Errorf("attempt %d comes after %v, want %v", i, attempts[i].Sub(attempts[i-1]), want)
			}
		}
		if len(attempts) < 30 || len(attempts) > 60 {
			t.Errorf("%d attempts", len(attempts))
		}
	}, func(o *ClientOptions) {
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			attempts = append(attempts, time.Now())
			return nil, away
		}
	})
}

// Everything at once over TCP, by many, while connections are cut: each idempotent call gets its own reply, and no call that may run
// once only runs twice.
func TestManyCallersSurviveCuts(t *testing.T) {
	checkLeaks(t)
	r := newRig(t, loopback(t))
	defer r.end()
	var mu sync.Mutex
	var conns []net.Conn
	c := r.client(func(o *ClientOptions) {
		o.RedialDelay = time.Millisecond
		dial := o.Dial
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := dial(ctx, network, address)
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, nc)
			return nc, err
		}
	})
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		if n := len(conns); n > 0 && conns[n-1] != nil {
			conns[n-1].Close()
		}
	}
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 400 {
				want := fmt.Sprintf("%04d%04d", caller, i) + strings.Repeat("x", i%3*5000)
				idempotent := i%4 != 0
				reply, err := c.Call(t.Context(), request(want, idempotent))
				if err == nil && string(reply.Results) != want || err != nil && (idempotent || !errors.Is(err, ErrOutcomeUnknown)) {
					t.Errorf("%.20q for %.20q: %v", reply.Results, want, err)
				}
				reply.Release()
				if i%50 == 25 && caller == 0 {
					cut()
				}
			}
		})
	}
	callers.Wait()
	c.Close()
	if s := c.Stats(); s.Connects < 4 || s.Outstanding != 0 || s.Unknown != 0 {
		t.Errorf("%+v", s)
	}
}
