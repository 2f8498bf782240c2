package server

import (
	"context"
	"encoding/binary"
	"errors"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/reconcile"
	"forebay/protocols/nfs/rpc"
)

// onceOnly says whether a request must not be executed twice. An exclusive CREATE can be, by its verifier.
func (r *request) onceOnly() bool { return !r.proc.Idempotent() && !r.exclusive() }

func (r *request) exclusive() bool {
	a, create := r.args.(*nfs.CreateArgs)
	return create && a.Mode == nfs.Exclusive
}

// serveShared answers copies of a request that are under way with one answer, of which nothing is remembered: a copy that is still waiting when the client
// has been answered, and has removed what was made, would make it again.
func (r *request) serveShared(ctx context.Context) {
	a, mine, over := r.s.duplicates.begin(r.id())
	r.keepOver(ctx, over)
	if !mine {
		r.join(ctx, a)
		return
	}
	at := r.call.Results.Len()
	r.execute(ctx)
	r.finish(ctx)
	r.s.duplicates.end(a, Void, r.call.Results.Bytes()[at:])
}

// serveOnce answers a request as it was answered before, or executes it. What it is about to do is kept before, and what came of it after,
// before anybody is told.
func (r *request) serveOnce(ctx context.Context) {
	a, mine, over := r.s.duplicates.begin(r.id())
	r.keepOver(ctx, over)
	if !mine {
		r.join(ctx, a)
		return
	}
	r.keep(ctx, Intent, a.id, nil)
	at := r.call.Results.Len()
	step := r.change(ctx, a.doubted != nil)
	r.finish(ctx)
	p := r.call.Results.Bytes()[at:]
	r.end(context.WithoutCancel(ctx), a, step, p)
}

// keepOver keeps that calls need not be known any longer.
func (r *request) keepOver(ctx context.Context, over []CallID) {
	for _, id := range over {
		r.keep(ctx, Void, id, nil)
	}
}

// join answers a request with the answer to another copy of it.
func (r *request) join(ctx context.Context, a *answer) {
	p, err := a.wait(ctx)
	if err != nil {
		r.refuse(nfs.ErrJukebox)
		return
	}
	r.call.Results.Fixed(p)
}

// change executes the request, and says what has become of it. again: it may have been executed before; then what it finds done was done for it.
func (r *request) change(ctx context.Context, again bool) Step {
	err := r.do(ctx)
	if err == nil && again {
		err = reconcile.Change(ctx, r.export.Files, &r.caller, r.proc, r.args, r.result)
	}
	if err != nil {
		r.fail(err)
	}
	switch {
	case *nfs.StatusOf(r.result) != nfs.ErrJukebox:
		return Outcome
	case again || errors.Is(err, nfs.ErrOutcomeUnknown):
		return Unknown
	}
	return Void // the client asks again, and nothing has been done
}

// end keeps what has become of a request, and tells who waits for it.
func (r *request) end(ctx context.Context, a *answer, s Step, p []byte) {
	if s == Outcome {
		r.keep(ctx, s, a.id, p)
	} else {
		r.keep(ctx, s, a.id, nil)
	}
	if a.doubted != nil && *a.doubted != a.id {
		r.keep(ctx, Void, *a.doubted, nil) // a.id stands for it now
	}
	r.s.duplicates.end(a, s, p)
}

func (r *request) keep(ctx context.Context, s Step, id CallID, answer []byte) {
	r.s.kept.Keep(ctx, Record{Step: s, ID: id, At: r.s.now(), Answer: answer})
}

func (r *request) id() CallID {
	return CallID{Client: r.call.Remote.Addr().Unmap().WithZone(""), XID: r.call.XID, Procedure: r.call.Procedure,
		Sum: sumOf(r.s.seal.duplicates, &r.call.Cred, r.call.Args)}
}

// sumOf tells calls apart by who makes them and by their arguments.
func sumOf(k sipKey, c *rpc.Credentials, args []byte) uint64 {
	p := make([]byte, 0, 4*(3+16)+8)
	for _, v := range [...]uint32{uint32(c.Flavor), c.UID, c.GID} {
		p = binary.BigEndian.AppendUint32(p, v)
	}
	for _, v := range c.GIDs() {
		p = binary.BigEndian.AppendUint32(p, v)
	}
	return k.sum(binary.BigEndian.AppendUint64(p, k.sum(args)))
}
