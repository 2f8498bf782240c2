package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// How calls end without a reply.
var (
	// ErrOutcomeUnknown: the call may have been sent, and no reply came.
	ErrOutcomeUnknown = errors.New("no reply: whether it was executed is unknown")
	// ErrNotSent: the call has not been executed.
	ErrNotSent = errors.New("not sent")
	// ErrClosed: the client has been closed.
	ErrClosed = errors.New("RPC client closed")

	errGivenUp = errors.New("given up")
	errSilent  = errors.New("no sign of life from the server")
	errIdle    = errors.New("nothing to do")
	errTimeout = fmt.Errorf("no reply in time: %w", context.DeadlineExceeded)
)

// ClientOptions say whom to call. Zero values mean the defaults given.
type ClientOptions struct {
	Address string // host:port
	Program uint32
	Version uint32

	Outstanding int     // calls at a time; more of them wait for their turn; 128
	Record      int     // bytes of a reply at most; 1 MiB and 64 KiB
	Buffers     Buffers // of long replies; nil: the heap

	CallTimeout  time.Duration // what a call gets, reconnections included, if its context doesn't end before; 60 s
	DialTimeout  time.Duration // 5 s
	RedialDelay  time.Duration // before the second attempt to connect; it doubles with each one more, up to 32 times; 50 ms
	PingInterval time.Duration // silence after which a NULL call asks for a sign of life, which must come as soon; 10 s
	IdleTimeout  time.Duration // a connection without a call for so long is closed, before the server does it while a call is on its way; 60 s
	StallTimeout time.Duration // a server that takes no byte for so long is given up; 30 s

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: a net.Dialer

	// Greeting, if not nil, is a call without data that is made over each new connection before any other, within DialTimeout. Greeted
	// judges its reply, which is not its to keep; after an error the connection counts as one that could not be made.
	Greeting *Request
	Greeted  func(*Reply) error
}

const redialDoublings = 5

func (o ClientOptions) withDefaults() ClientOptions {
	number := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	span := func(v *time.Duration, to time.Duration) {
		if *v <= 0 {
			*v = to
		}
	}
	number(&o.Outstanding, 128)
	number(&o.Record, maxRecord)
	span(&o.CallTimeout, time.Minute)
	span(&o.DialTimeout, 5*time.Second)
	span(&o.RedialDelay, 50*time.Millisecond)
	span(&o.PingInterval, 10*time.Second)
	span(&o.IdleTimeout, time.Minute)
	span(&o.StallTimeout, 30*time.Second)
	if o.Buffers == nil {
		o.Buffers = heap{}
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}
