package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/sock/socktest"
)

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
			story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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

// Attempts to connect become rarer, and the error tells why there is no connection.
func TestAServerThatIsAwayIsTriedAgain(t *testing.T) {
	away := errors.New("away")
	var attempts []time.Time
	story(t, func(t *testing.T, c *Client, _ *socktest.PipeListener) {
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
