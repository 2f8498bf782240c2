package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// pauseBeforeAgain is what passes before a call is made again that was not answered, or with NFS3ERR_JUKEBOX.
const pauseBeforeAgain = 20 * time.Millisecond

// errUnknown: a non-idempotent call may have been executed.
var errUnknown = errors.New("no answer: whether it was executed is unknown")

// client is one NFS client: a connection, and a user. Many goroutines may use it.
type client struct {
	number   int
	caller   nfs.Caller
	cred     rpc.Credentials
	calls    *rpc.Client
	patience time.Duration
	tails    bool // Options.Tails
}

func newClient(number int, caller nfs.Caller, o *Options) *client {
	cl := &client{number: number, caller: caller, patience: o.Patience, tails: o.Tails}
	cl.cred = rpc.Credentials{Flavor: rpc.AuthSys, Machine: fmt.Appendf(nil, "model-%d", number), UID: caller.UID, GID: caller.GID}
	cl.cred.SetGIDs(caller.GIDs)
	cl.calls = rpc.NewClient(rpc.ClientOptions{Address: o.Address, Program: nfs.Program, Version: nfs.Version, CallTimeout: o.CallTimeout,
		PingInterval: max(o.CallTimeout/4, time.Millisecond), Dial: o.Dial})
	return cl
}

// mounted asks MOUNT for the handle of the export's root.
func mounted(ctx context.Context, o *Options) (nfs.Handle, error) {
	calls := rpc.NewClient(rpc.ClientOptions{Address: o.MountAddress, Program: mount.Program, Version: mount.Version, Dial: o.Dial})
	defer calls.Close()
	reply, err := calls.Call(ctx, &rpc.Request{Procedure: mount.ProcMnt, Cred: rpc.Credentials{Flavor: rpc.AuthSys}, Args: mount.Path(o.Export), Idempotent: true})
	if err != nil {
		return nil, fmt.Errorf("MNT %s: %w", o.Export, err)
	}
	defer reply.Release()
	var r mount.MntResult
	if err := reply.Decode(&r); err != nil {
		return nil, fmt.Errorf("MNT %s: %w", o.Export, err)
	}
	if r.Status != mount.OK {
		return nil, fmt.Errorf("MNT %s: %w", o.Export, r.Status)
	}
	return slices.Clone(r.Handle), nil
}

// do has a procedure executed: as on a hard mount it asks again until there is an answer. errUnknown ends a non-idempotent one that may have
// been executed; any other error is the end of the check.
func (cl *client) do(ctx context.Context, p nfs.Procedure, a, r nfs.Message) error {
	ctx, cancel := context.WithTimeoutCause(ctx, cl.patience, fmt.Errorf("%s was not answered within %s", p, cl.patience))
	defer cancel()
	for {
		err := cl.once(ctx, p, a, r)
		switch {
		case err == nil && *nfs.StatusOf(r) != nfs.ErrJukebox:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("client %d: %w: %w", cl.number, context.Cause(ctx), err)
		case errors.Is(err, rpc.ErrOutcomeUnknown) && !p.Idempotent():
			return errUnknown
		case err != nil && !errors.Is(err, rpc.ErrNotSent) && !errors.Is(err, rpc.ErrOutcomeUnknown):
			return fmt.Errorf("client %d: %s: %w", cl.number, p, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauseBeforeAgain):
		}
	}
}

// once makes one call. r is decoded from memory of its own.
func (cl *client) once(ctx context.Context, p nfs.Procedure, a, r nfs.Message) error {
	reflect.ValueOf(r).Elem().SetZero()
	reply, err := cl.calls.Call(ctx, &rpc.Request{Procedure: uint32(p), Cred: cl.cred, Args: a, Idempotent: p.Idempotent()})
	if err != nil {
		return err
	}
	d := xdr.NewDecoder(slices.Clone(reply.Results))
	reply.Release()
	if r.Decode(&d); d.Err() != nil {
		return fmt.Errorf("its result: %w", d.Err())
	}
	tail := 0
	if cl.tails && p == nfs.ProcReadDirPlus {
		tail = 4
	}
	if n := len(d.Rest()); n != 0 && n != tail {
		return fmt.Errorf("%d bytes behind its result", n)
	}
	return nil
}
