package export

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs"
)

// write writes through to the array, with the stability that the client asks for (PROTOCOL E2). WRITEs of a file share its order.
func (e *Export) write(ctx context.Context, c *nfs.Caller, a *nfs.WriteArgs, r *nfs.WriteResult) error {
	n := e.table.use(a.File)
	defer e.table.letGo(n)
	size := uint64(len(a.Data))
	if size == 0 { // the array has the word for it
		return e.ask(ctx, c, nfs.ProcWrite, a, r)
	}
	if err := n.order.Acquire(ctx, 1); err != nil {
		return err
	}
	defer n.order.Release(1)
	w := &writing{export: e, node: n, caller: c, args: a, result: r}
	begun, err := e.begin(ctx, n)
	if err != nil {
		return err
	}
	err = e.overwrite(ctx, n, a, func(ctx context.Context) error {
		if err := w.all(ctx); err != nil {
			return err
		}
		e.vouch(r.Verifier)
		e.end(n, begun, &r.Wcc, a.Offset+size)
		w.ended = true
		return nil
	})
	switch {
	case w.ended:
	case w.answered: // with an error, after some of it perhaps
		e.end(n, begun, &r.Wcc, 0)
	default:
		e.abandon(n, begun)
	}
	var status nfs.Status
	if errors.As(err, &status) {
		wcc := r.Wcc
		*r = nfs.WriteResult{Status: status, Wcc: wcc}
		return nil
	}
	return err
}

// overwrite makes a WRITE by call. Of one that ends behind the volume's last block nothing is cached.
func (e *Export) overwrite(ctx context.Context, n *node, a *nfs.WriteArgs, call func(context.Context) error) error {
	switch {
	case !behind(a.Offset, len(a.Data)):
		return e.volumeOf(n).WriteBy(ctx, a.Data, int64(a.Offset), call)
	case a.Offset < addressSpace:
		return e.volumeOf(n).Alter(ctx, int64(a.Offset), addressSpace-int64(a.Offset), call)
	}
	return e.outage.Ask(ctx, call)
}

// writing is one WRITE on its way to the array, which may take it in several pieces.
type writing struct {
	export *Export
	node   *node
	caller *nfs.Caller
	args   *nfs.WriteArgs
	result *nfs.WriteResult

	answered bool // by the array, at last
	ended    bool
}

// maxRewrites is how often a WRITE is begun again because the array has lost its beginning.
const maxRewrites = 4

// errForgets: the write verifier is another one again and again.
var errForgets = fmt.Errorf("%w: the array loses what was written faster than it can be written", nfs.ErrOutcomeUnknown)

// all writes all of it, and combines the answers.
func (w *writing) all(ctx context.Context) error {
	var total nfs.WriteResult
	restarts := 0
	for done := 0; done < len(w.args.Data); {
		a := nfs.WriteArgs{File: w.node.handle, Offset: w.args.Offset + uint64(done), Stable: w.args.Stable, Data: w.args.Data[done:]}
		var r nfs.WriteResult
		w.answered = false
		if err := w.export.once(ctx, w.caller, nfs.ProcWrite, &a, &r); err != nil {
			return err
		}
		w.answered = true
		if done == 0 {
			total = r
		}
		total.Wcc.After = r.Wcc.After
		w.result.Wcc = total.Wcc
		switch {
		case r.Status != nfs.OK:
			return r.Status
		case r.Count == 0 || int(r.Count) > len(a.Data):
			return nfs.ErrIO
		case r.Verifier != total.Verifier: // it has restarted in between
			if restarts++; restarts > maxRewrites {
				return errForgets
			}
			done, total = 0, nfs.WriteResult{}
			continue
		}
		total.Committed = min(total.Committed, r.Committed)
		done += int(r.Count)
		total.Count = uint32(done)
	}
	*w.result = total
	return nil
}

func (e *Export) commit(ctx context.Context, c *nfs.Caller, a *nfs.CommitArgs, r *nfs.CommitResult) error {
	n := e.table.use(a.File)
	defer e.table.letGo(n)
	q := n.ask()
	if err := e.ask(ctx, c, nfs.ProcCommit, a, r); err != nil {
		return err
	}
	switch r.Status {
	case nfs.OK:
		e.vouch(r.Verifier)
		e.note(n, &q, &r.Wcc.After)
	case nfs.ErrIO, nfs.ErrNoSpc, nfs.ErrDQuot: // some of what was written is lost
		n.drop()
		e.tell(n.handle)
	}
	return nil
}
