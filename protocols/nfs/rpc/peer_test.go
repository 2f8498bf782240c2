package rpc

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"forebay/protocols/sock/socktest"
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
func accept(t testing.TB, l *socktest.PipeListener) *peer {
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
func story(t *testing.T, play func(t *testing.T, c *Client, l *socktest.PipeListener), change ...func(*ClientOptions)) {
	synctest.Test(t, func(t *testing.T) {
		l := socktest.NewPipeListener()
		o := ClientOptions{Address: "peer", Program: echoProgram, Version: echoHigh, Dial: l.Dial}
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
