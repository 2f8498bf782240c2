package nfs

import (
	"context"
	"errors"
	"fmt"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/reconcile"
)

// Do implements wire.FileSystem: it executes a procedure at the filer.
func (f *Filer) Do(ctx context.Context, c *wire.Caller, p wire.Procedure, a, r wire.Message) error {
	if err := f.health.begin(); err != nil {
		return fmt.Errorf("%v: %w", p, err)
	}
	defer f.calls.Done()
	switch {
	case p == wire.ProcRead:
		return f.read(ctx, c, a.(*wire.ReadArgs), r.(*wire.ReadResult))
	case p == wire.ProcWrite:
		return f.write(ctx, c, a.(*wire.WriteArgs), r.(*wire.WriteResult))
	case p == wire.ProcCommit:
		return f.commit(ctx, c, a.(*wire.CommitArgs), r.(*wire.CommitResult))
	case changes(p):
		return f.change(ctx, c, p, a, r)
	}
	return f.call(ctx, &request{procedure: p, caller: c, args: bounded(a), result: r})
}

// bounded keeps listings within what we take.
func bounded(a wire.Message) wire.Message {
	switch a := a.(type) {
	case *wire.ReadDirArgs:
		within := *a
		within.Count = min(a.Count, maxTransfer)
		return &within
	case *wire.ReadDirPlusArgs:
		within := *a
		within.DirCount, within.MaxCount = min(a.DirCount, maxTransfer), min(a.MaxCount, maxTransfer)
		return &within
	}
	return a
}

// change makes a change that is not to be made twice.
func (f *Filer) change(ctx context.Context, c *wire.Caller, p wire.Procedure, a, r wire.Message) error {
	id := idOf(p, a, nil)
	about := func() use { return use{touches(p, a), func() string { return id }} }
	if err := f.settled(ctx, p, func() use { return use{append(about().spans, unseen(a)...), about().id} }); err != nil {
		return err
	}
	again := f.intents.isOpen(id)
	call := request{procedure: p, caller: c, args: a, result: r}
	err := f.call(ctx, &call)
	again = again || call.fate.Reissued
	if err == nil && again {
		err = reconcile.Change(ctx, eyes{f}, c, p, a, r)
	}
	done := err == nil && *wire.StatusOf(r) == wire.OK
	answered := func() use {
		u := about()
		u.spans = append(u.spans, cuts(a, r)...)
		return u
	}
	f.doubts.add(answered, &call.fate, done, f.works.Go)
	switch {
	case errors.Is(err, wire.ErrOutcomeUnknown), err == nil && again && *wire.StatusOf(r) == wire.ErrJukebox:
		f.intents.open(id)
	case err == nil && again:
		f.intents.close(id)
	}
	if done {
		f.doubts.done(answered)
	}
	return err
}

// settled waits until nothing in doubt is in the way of what is about to be done.
func (f *Filer) settled(ctx context.Context, p wire.Procedure, about func() use) error {
	if f.doubts.none() {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, f.opts.CallTimeout)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	err := f.doubts.wait(limited, about())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%v: %w: %w", p, errInDoubt, ctx.Err())
	}
	return fmt.Errorf("%v: %w: %w", p, wire.ErrAway, errInDoubt)
}

var errInDoubt = errors.New("an earlier change of the same may yet be executed")

// commit makes what was written durable.
func (f *Filer) commit(ctx context.Context, c *wire.Caller, a *wire.CommitArgs, r *wire.CommitResult) error {
	err := f.call(ctx, &request{procedure: wire.ProcCommit, caller: c, args: a, result: r})
	if err == nil && r.Status == wire.OK {
		f.see(r.Verifier)
	}
	return err
}
