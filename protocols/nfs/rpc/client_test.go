package rpc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/sock/socktest"
)

func TestClientAndServerFitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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

// Servers remember calls by their XIDs for a while: those of an earlier life of the client, too.
func TestEveryClientBeginsWithXIDsOfItsOwn(t *testing.T) {
	first := map[uint32]bool{}
	for range 4 {
		story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
			came := start(t.Context(), c, request("", true))
			p := accept(t, l)
			call := p.call()
			first[call.XID] = true
			p.answer(call)
			(<-came).check(t, "", nil)
		})
	}
	if len(first) < 3 {
		t.Errorf("%v", first)
	}
}

func TestAReplyThatIsTooLongEndsTheConnection(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
		came := start(t.Context(), c, request("", false))
		p := accept(t, l)
		p.call()
		p.send([]byte{0x80, 0, 0x40, 0x01})
		(<-came).check(t, "", ErrProtocol)
	}, func(o *ClientOptions) { o.Record = 16 << 10 })
}

func TestCredentialsAreForwarded(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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

// Call returns only when nobody refers to its data any more, which a peer that doesn't read can't hold up.
func TestDataIsTheCallersAgainWhenACallReturns(t *testing.T) {
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, l *socktest.PipeListener) {
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
	story(t, func(t *testing.T, c *Client, _ *socktest.PipeListener) {
		came := start(t.Context(), c, request("", true))
		synctest.Wait()
		c.Close()
		(<-came).check(t, "", ErrNotSent)
	})
}
