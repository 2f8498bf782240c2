package export

import (
	"context"
	"errors"
	"time"

	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
)

// settler is a file system that shows files otherwise than the array below it.
type settler interface {
	// Settled has the array make durable what it has of a file, and returns its write verifier, and the file's attributes as it shows them; nil: it
	// lacks something of the file. An error that is an nfs.Status is the array's refusal.
	Settled(ctx context.Context, c *nfs.Caller, h nfs.Handle) (*nfs.Attr, nfs.Verifier, error)
}

// proof is a witness being taken: of what.
type proof struct {
	look      look
	what      settledAs
	under     *under
	owner     nfs.Caller
	forgotten uint64
}

// tend does what is due for a file. An error says that the array had no answer.
func (e *Export) tend(ctx context.Context, n *node, alone time.Duration) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	now := time.Now()
	n.mu.Lock()
	ripe := n.ripe(now)
	what, u := n.provable(now, alone)
	if now.Before(n.mu.trust.seen.Add(grain)) {
		u = nil
	}
	a := &n.mu.view.attr
	p := proof{n.mu.view.look(now), what, u, nfs.Caller{UID: a.UID, GID: a.GID}, e.forgotten.Load()}
	n.mu.Unlock()
	switch {
	case ripe: // and the write verifier is not known
		if _, err = e.settle(ctx, n, &p); err == nil || refusal(err) {
			n.ripen(err == nil)
			return nil
		}
	case u != nil:
		err = e.prove(ctx, n, &p)
	}
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.mu.trust.later = time.Now().Add(askAgain)
	}
	return err
}

// settles says whether the array may show files otherwise than Files do.
func (e *Export) settles() bool {
	_, ok := e.opts.Files.(settler)
	return ok
}

// lower is the write verifier of what makes files durable.
func (e *Export) lower() *verifier {
	if e.settles() {
		return &e.below
	}
	return &e.verifier
}

// prove takes a witness: when the array has made the file durable, it is asked once more what the file is like.
func (e *Export) prove(ctx context.Context, n *node, p *proof) error {
	attr, err := e.settle(ctx, n, p)
	refused := refusal(err)
	if err != nil && !refused || err == nil && attr == nil {
		return err
	}
	q := n.ask()
	var r nfs.GetAttrResult
	if err := e.once(ctx, &p.owner, nfs.ProcGetAttr, &nfs.HandleArgs{Object: n.handle}, &r); err != nil || r.Status != nfs.OK {
		return err
	}
	n.learn(&q, &r.Attr, e.opts.AttributeCache)
	if !e.settles() {
		attr = &r.Attr
	}
	n.prove(p, func() bool { return refused || e.testify(n, p, attr) })
	return nil
}

// testify notes a witness. n.mu is held.
func (e *Export) testify(n *node, p *proof, a *nfs.Attr) bool {
	if p.forgotten%2 == 1 || p.forgotten != e.forgotten.Load() {
		return false
	}
	w := witnesses.Witness{Filer: witnesses.HashOf(e.opts.Filer()), Attr: witnesses.AttrOf(a), Store: p.under.store, Key: p.under.key}
	if !e.opts.Witnesses.Put(n.handle, w) {
		return false
	}
	n.mu.trust.none = false
	return true
}

// prove has note called if all is as it was when the proof began; if that says so, there is nothing more to be had.
func (n *node) prove(p *proof, note func() bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := &n.mu.view
	now, u := n.provable(time.Now(), 0)
	if u != p.under || now != p.what || v.turns != p.look.turns || v.news != p.look.news || !v.whole {
		return
	}
	if note() {
		n.mu.trust.done = p.what
	}
}

// settle has the array make a file durable, as who may write to it. attr are its attributes as the array shows them where Files may not; nil: it lacks something
// of the file.
func (e *Export) settle(ctx context.Context, n *node, p *proof) (attr *nfs.Attr, err error) {
	for _, c := range []nfs.Caller{p.owner, {}} {
		var v nfs.Verifier
		if attr, v, err = e.settleAs(ctx, &c, n.handle); err == nil {
			e.vouchFor(e.lower(), v)
			return attr, nil
		}
		if !refused(err) {
			break
		}
	}
	return nil, err
}

// settleAs is COMMIT of a whole file where Files show it as the array does.
func (e *Export) settleAs(ctx context.Context, c *nfs.Caller, h nfs.Handle) (*nfs.Attr, nfs.Verifier, error) {
	if s, ok := e.opts.Files.(settler); ok {
		return s.Settled(ctx, c, h)
	}
	var r nfs.CommitResult
	err := e.once(ctx, c, nfs.ProcCommit, &nfs.CommitArgs{File: h}, &r)
	if err == nil && r.Status != nfs.OK {
		err = r.Status
	}
	return new(nfs.Attr), r.Verifier, err
}

// refusal says whether an error is the array's word on one file.
func refusal(err error) bool {
	var status nfs.Status
	return errors.As(err, &status) && status != nfs.ErrJukebox
}
