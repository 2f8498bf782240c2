package rpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/sock/socktest"
)

func TestACallEndsAtItsDeadline(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
