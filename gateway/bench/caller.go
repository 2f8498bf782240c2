package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// moment is how long a server that asks for patience gets before it is asked again (NFS3ERR_JUKEBOX).
const moment = 50 * time.Millisecond

// caller makes calls of one program and waits for their replies. Its rpc.Client connects when the first call is made; a server that can't
// be reached then is reported at once. A call that is lost with a later connection is made again if the caller is patient.
type caller struct {
	client   *rpc.Client
	cred     rpc.Credentials
	patient  bool
	connect  func(ctx context.Context, network, address string) (net.Conn, error)
	connects atomic.Int64
	gone     atomic.Pointer[error] // why there is no connection, and will be none
}

func newCaller(o Options, address string, program, version uint32, cred rpc.Credentials, patient bool) *caller {
	c := &caller{cred: cred, patient: patient, connect: new(net.Dialer).DialContext}
	timeout := o.CommandTimeout
	if patient {
		timeout += reconnectPatience
	}
	// Idle connections stay, so that a new one is one that was lost.
	c.client = rpc.NewClient(rpc.ClientOptions{Address: address, Program: program, Version: version, Outstanding: max(o.Depth, 32),
		CallTimeout: timeout, IdleTimeout: 24 * time.Hour, Dial: c.dial})
	return c
}

// dial opens a connection. It runs on a goroutine that Close waits for.
func (c *caller) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := c.connect(ctx, network, address)
	switch {
	case err == nil:
		c.connects.Add(1)
	case c.connects.Load() == 0 && c.gone.CompareAndSwap(nil, &err):
		go c.client.Close()
	}
	return nc, err
}

// reconnects counts the connections after the first one.
func (c *caller) reconnects() int { return max(int(c.connects.Load())-1, 0) }

// raw makes a call; use looks at the result while views of it are valid.
func (c *caller) raw(ctx context.Context, r *rpc.Request, result interface{ Decode(*xdr.Decoder) }, use func()) error {
	r.Cred = c.cred
	reply, err := c.client.Call(ctx, r)
	if gone := c.gone.Load(); gone != nil && errors.Is(err, rpc.ErrClosed) {
		return *gone
	}
	if err != nil {
		return err
	}
	defer reply.Release()
	if err := reply.Decode(result); err != nil {
		return err
	}
	use()
	return nil
}

// call executes an NFS procedure. It asks again for as long as the server asks for patience and there is some left.
func (c *caller) call(ctx context.Context, p nfs.Procedure, r *rpc.Request, result nfs.Message, use func()) error {
	r.Procedure, r.Idempotent = uint32(p), c.patient && p.Idempotent()
	status := nfs.StatusOf(result)
	for begun := time.Now(); ; pause(ctx, moment) {
		if err := c.raw(ctx, r, result, func() {
			if *status == nfs.OK {
				use()
			}
		}); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		switch {
		case *status == nfs.OK:
			return nil
		case *status == nfs.ErrJukebox && time.Since(begun) < reconnectPatience && ctx.Err() == nil:
		default:
			return fmt.Errorf("%s: %w", p, *status)
		}
	}
}
