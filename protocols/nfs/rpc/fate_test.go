package rpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/sock/socktest"
)

// fated is a call that may be repeated and whose fate is of interest.
func fated(args string) (*Request, *Fate) {
	r := request(args, true)
	r.Fate = new(Fate)
	return r, r.Fate
}

func TestTheFateOfAnAnsweredCallIsClean(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		r, fate := fated("call")
		came := start(t.Context(), c, r)
		p := accept(t, l)
		p.answer(p.call())
		(<-came).check(t, "call", nil)
		if fate.Reissued || fate.Late != nil || !fate.Lost.IsZero() {
			t.Errorf("%+v", fate)
		}
	})
}

func TestAReissuedCallTellsWhenItsConnectionWasLost(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		r, fate := fated("call")
		came := start(t.Context(), c, r)
		p := accept(t, l)
		first := p.call()
		time.Sleep(time.Second)
		lost := time.Now()
		p.Close()
		time.Sleep(time.Second)
		p = accept(t, l)
		second := p.call()
		if first.XID != second.XID {
			t.Errorf("XID %x, then %x: a server's duplicate request cache can't know it", first.XID, second.XID)
		}
		p.answer(second)
		(<-came).check(t, "call", nil)
		if !fate.Reissued || !fate.Lost.Equal(lost) || fate.Late != nil {
			t.Errorf("%+v", fate)
		}
	})
}

func TestACallThatItsCallerGivesUpTellsOfItsLateReply(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		ctx, cancel := context.WithCancel(t.Context())
		r, fate := fated("call")
		came := start(ctx, c, r)
		p := accept(t, l)
		call := p.call()
		cancel()
		(<-came).check(t, "", ErrOutcomeUnknown)
		synctest.Wait()
		select {
		case <-fate.Late:
			t.Error("the call is over before the server has said so")
		default:
		}
		c.mu.Lock()
		c.mu.xid = call.XID - 1 // as after 4 billion calls
		if next := c.nextXID(); next == call.XID {
			t.Error("another call has its XID")
		}
		c.mu.Unlock()
		p.answer(call)
		if at := <-fate.Late; !at.IsZero() || c.Stats().Unknown != 0 {
			t.Errorf("answered late: %v, %+v", at, c.Stats())
		}
	})
}

func TestACallThatItsCallerGivesUpTellsOfTheLossOfItsConnection(t *testing.T) {
	for name, cut := range map[string]func(c *Client, p *peer){
		"by the server": func(_ *Client, p *peer) { p.Close() },
		"by Abandon":    func(c *Client, _ *peer) { c.Abandon() },
		"by Close":      func(c *Client, _ *peer) { c.Close() },
		"by silence":    func(c *Client, p *peer) {}, // asked for a sign of life, it gives none
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
				ctx, cancel := context.WithCancel(t.Context())
				r, fate := fated("call")
				came := start(ctx, c, r)
				p := accept(t, l)
				p.call()
				cancel()
				(<-came).check(t, "", ErrOutcomeUnknown)
				began := time.Now()
				cut(c, p)
				go func() { _, _, _ = p.in.next() }() // takes a NULL call, and doesn't answer it
				if at := <-fate.Late; at.Before(began) || at.Sub(began) > time.Minute {
					t.Errorf("lost after %v", at.Sub(began))
				}
			})
		})
	}
}

func TestAServerThatNeverAnswersAStragglerIsGivenUp(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		ctx, cancel := context.WithCancel(t.Context())
		r, fate := fated("call")
		came := start(ctx, c, r)
		p := accept(t, l)
		p.call()
		cancel()
		(<-came).check(t, "", ErrOutcomeUnknown)
		go func() { // it is alive
			for {
				record, _, err := p.in.next()
				if err != nil {
					return
				}
				ping := new(Call)
				if ping.begin(record) == nil {
					_, _ = p.Write(ping.seal())
				}
			}
		}()
		began := time.Now()
		if took := (<-fate.Late).Sub(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestStragglersAreBounded(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		p := (*peer)(nil)
		for range 4 {
			ctx, cancel := context.WithCancel(t.Context())
			r, _ := fated("call")
			came := start(ctx, c, r)
			if p == nil {
				p = accept(t, l)
			}
			p.call()
			cancel()
			(<-came).check(t, "", ErrOutcomeUnknown)
		}
		if !p.closed() {
			t.Error("the connection goes on")
		}
	}, func(o *ClientOptions) { o.Outstanding = 4 })
}
