package rpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/protocols/sock/socktest"
)

func TestAConnectionIsGreetedBeforeItIsUsed(t *testing.T) {
	refusal := errors.New("not the one")
	var verdict error
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		verdict = refusal
		came := start(t.Context(), c, request("call", false))
		p := accept(t, l)
		p.answer(p.call()) // the greeting
		if !p.closed() {
			t.Fatal("a connection that was refused is used")
		}
		verdict = nil
		p = accept(t, l)
		greeting := p.call()
		if string(greeting.Args) != "helo" || greeting.Procedure != procEcho {
			t.Errorf("the greeting: %+v", greeting)
		}
		p.answer(greeting)
		p.answer(p.call())
		(<-came).check(t, "call", nil)
	}, func(o *ClientOptions) {
		o.Greeting = request("helo", true)
		o.Greeted = func(r *Reply) error {
			if string(r.Results) != "helo" {
				t.Errorf("greeted by %q", r.Results)
			}
			return verdict
		}
	})
}

func TestAGreetingThatIsNotAnsweredRightIsNone(t *testing.T) {
	for name, answer := range map[string]func(p *peer, c *Call){
		"not at all":        func(*peer, *Call) {},
		"closed":            func(p *peer, _ *Call) { p.Close() },
		"another call's":    func(p *peer, c *Call) { p.send(callReply(c.XID+1, nil)) },
		"an error":          func(p *peer, c *Call) { p.send(callReply(c.XID, SystemErr)) },
		"no reply at all":   func(p *peer, c *Call) { p.send(callRecord(c.XID, 0, nil)) },
		"an endless record": func(p *peer, _ *Call) { p.send([]byte{0xff, 0xff, 0xff, 0xff}) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				came := start(ctx, c, request("call", false))
				p := accept(t, l)
				answer(p, p.call())
				if !p.closed() {
					t.Error("the connection goes on")
				}
				(<-came).check(t, "", ErrNotSent)
			}, func(o *ClientOptions) {
				o.Greeting, o.DialTimeout, o.RedialDelay = request("helo", true), time.Second, time.Minute
				o.Greeted = func(*Reply) error {
					t.Error("a greeting")
					return nil
				}
			})
		})
	}
}

func callReply(xid uint32, verdict error) []byte {
	c := new(Call)
	_ = c.begin(callRecord(xid, procEcho, nil)[markLength:])
	c.Fail(verdict)
	return c.seal()
}
