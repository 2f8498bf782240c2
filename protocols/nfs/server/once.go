package server

import (
	"context"
	"encoding/binary"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// onceOnly says whether a request must not be executed twice. An exclusive CREATE can be, by its verifier.
func (r *request) onceOnly() bool {
	a, create := r.args.(*nfs.CreateArgs)
	return !r.proc.Idempotent() && (!create || a.Mode != nfs.Exclusive)
}

// serveOnce answers a request as it was answered before, or executes it.
func (r *request) serveOnce(ctx context.Context) {
	a, mine := r.s.duplicates.begin(r.key())
	if !mine {
		p, err := a.wait(ctx)
		if err != nil {
			r.refuse(nfs.ErrJukebox)
			return
		}
		r.call.Results.Fixed(p)
		return
	}
	at := r.call.Results.Len()
	r.execute(ctx)
	r.finish(ctx)
	keep := *nfs.StatusOf(r.result) != nfs.ErrJukebox // that isn't what became of it
	r.s.duplicates.end(a, r.call.Results.Bytes()[at:], keep)
}

func (r *request) key() callKey {
	return callKey{client: r.call.Remote.Addr().Unmap(), xid: r.call.XID, procedure: r.call.Procedure,
		sum: sumOf(r.s.seal.duplicates, &r.call.Cred, r.call.Args)}
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
