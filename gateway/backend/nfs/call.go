package nfs

import (
	"context"
	"errors"
	"fmt"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// request is one call to make.
type request struct {
	procedure wire.Procedure
	caller    *wire.Caller
	args      interface{ Encode(*xdr.Encoder) }
	data      []byte // behind the arguments
	result    wire.Message
	into      []byte   // where a READ's data goes
	fate      rpc.Fate // of what changes something
}

// call makes a call as soon as the filer is there to be asked. An error is as FileSystem's. What its fate says is the caller's to see to.
func (f *Filer) call(ctx context.Context, r *request) error {
	up, err := f.health.enter()
	if err != nil {
		return fmt.Errorf("%v: %w", r.procedure, err)
	}
	err = f.exchange(ctx, up, f.pick(r.weight()), r)
	f.health.leave(up, !unanswered(err))
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && up.Err() == nil:
		return fmt.Errorf("%v: %w: %w", r.procedure, r.uncertain(err), ctx.Err())
	case unanswered(err):
		return fmt.Errorf("%v: %w: %w", r.procedure, wire.ErrAway, r.uncertain(err))
	}
	return fmt.Errorf("%v: %w", r.procedure, r.uncertain(err))
}

// unanswered says whether a call has ended without any reply.
func unanswered(err error) bool {
	return errors.Is(err, rpc.ErrOutcomeUnknown) || errors.Is(err, rpc.ErrNotSent)
}

// uncertain adds to an error that a change may have been made.
func (r *request) uncertain(err error) error {
	if changes(r.procedure) && !errors.Is(err, rpc.ErrNotSent) && !refused(err) {
		return fmt.Errorf("%w: %w", wire.ErrOutcomeUnknown, err)
	}
	return err
}

// refused says whether the filer has answered that it did nothing.
func refused(err error) bool {
	var accept rpc.AcceptStatus
	var auth rpc.AuthStatus
	return errors.As(err, &accept) && accept != rpc.SystemErr || errors.As(err, &auth) || errors.Is(err, rpc.ErrRPCMismatch)
}

// changes says whether a procedure changes something.
func changes(p wire.Procedure) bool { return !p.Idempotent() || p == wire.ProcWrite }

// exchange makes a call over the channel that was picked for it, whatever the health. Every procedure goes to the next connection when one is lost,
// under the same XID: servers know calls that they have executed by it for a while. What a second execution of those that aren't idempotent answers is put
// right by reconcile.Change.
func (f *Filer) exchange(ctx, during context.Context, c *channel, r *request) error {
	out := rpc.Request{Procedure: uint32(r.procedure), Cred: f.credentials(r.caller), Args: r.args, Idempotent: true, During: during}
	if changes(r.procedure) {
		out.Fate = &r.fate
	}
	if len(r.data) > 0 {
		out.Data = [][]byte{r.data}
	}
	reply, err := c.Call(ctx, &out)
	c.end(r.weight(), err == nil)
	if err != nil {
		return err
	}
	defer reply.Release()
	if err := reply.Decode(r.result); err != nil {
		return err
	}
	return r.keep()
}

// credentials are those of a caller, as AUTH_SYS has them.
func (f *Filer) credentials(c *wire.Caller) rpc.Credentials {
	cred := rpc.Credentials{Flavor: rpc.AuthSys, Machine: f.machine, UID: c.UID, GID: c.GID}
	cred.SetGIDs(c.GIDs)
	return cred
}

// keep makes the result the caller's own: what has been decoded refers to memory that is used again.
func (r *request) keep() error {
	switch result := r.result.(type) {
	case *wire.ReadResult:
		if len(result.Data) > len(r.into) {
			return fmt.Errorf("%w: a READ of %d bytes is answered with %d", rpc.ErrProtocol, len(r.into), len(result.Data))
		}
		result.Data = r.into[:copy(r.into, result.Data)]
	case *wire.LookupResult:
		own(&result.Object)
	case *wire.CreateResult:
		own(&result.Object.Value)
	case *wire.ReadDirPlusResult:
		for i := range result.Entries {
			own(&result.Entries[i].Handle.Value)
		}
	}
	return nil
}

func own(h *wire.Handle) { *h = append(wire.Handle(nil), *h...) }
