package server

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

func TestH2_ACallThatWasAnsweredIsAnsweredTheSameInTheNextLife(t *testing.T) {
	for _, p := range nonIdempotent {
		l := newLives(t)
		dir, f := l.fill()
		before := l.mem.Calls(p)
		want := l.ask(here, 77, p, nfstest.Sample(p, dir, f))
		for range 2 {
			l.kill()
			if got := l.ask(here, 77, p, nfstest.Sample(p, dir, f)); !bytes.Equal(got, want) {
				t.Errorf("%v: % x\nthen % x", p, want, got)
			}
		}
		if n := l.mem.Calls(p) - before; n != 1 {
			t.Errorf("%v is executed %d times", p, n)
		}
	}
}

// The process is killed before the call is executed, or when it has been, and nobody knows which.
func TestH2_ACallThatWasUnderWaySucceedsInTheNextLife(t *testing.T) {
	for _, p := range nonIdempotent {
		for at, stage := range map[nfstest.Stage]string{nfstest.Before: "before", nfstest.After: "after"} {
			l := newLives(t)
			dir, f := l.fill()
			a := guarded(l, p, nfstest.Sample(p, dir, f))
			l.killedIn(at, 77, p, a)
			answer := l.ask(here, 77, p, a)
			_, r := nfs.NewMessages(p)
			if err := decodeResult(answer, r); err != nil || *nfs.StatusOf(r) != nfs.OK {
				t.Errorf("%v, killed %s it was executed: %v, %v", p, stage, err, *nfs.StatusOf(r))
			}
			if made, ok := r.(*nfs.CreateResult); ok {
				if want := l.seal(l.mem.Find("sample")); !bytes.Equal(made.Object.Value, want) || !made.Attr.Follows {
					t.Errorf("%v, killed %s it was executed: handle %x, want %x; attributes: %v", p, stage, made.Object.Value, want, made.Attr.Follows)
				}
			}
			l.kill()
			if again := l.ask(here, 77, p, a); !bytes.Equal(again, answer) {
				t.Errorf("%v, in the life after that: % x\nnot % x", p, again, answer)
			}
		}
	}
}

// guarded makes arguments such that a second execution is noticed.
func guarded(l *lives, p nfs.Procedure, a nfs.Message) nfs.Message {
	switch a := a.(type) {
	case *nfs.SetAttrArgs:
		a.Guard = nfs.Some(nfstest.User{T: l.t, FS: l.mem}.GetAttr(l.mem.Find("f")).Attr.Ctime)
	case *nfs.CreateArgs:
		a.Mode = nfs.Guarded
	case *nfs.MknodArgs:
		a.Type, a.Device = nfs.BlockDevice, nfs.Device{Major: 8, Minor: 1}
	}
	return a
}

// What others have done since the first execution is the truth.
func TestH2_WhatOthersHaveMadeOfItMeanwhileIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		p       nfs.Procedure
		between func(u nfstest.User, root nfs.Handle)
		want    nfs.Status
	}{
		"CREATE, and now a directory": {nfs.ProcCreate, func(u nfstest.User, root nfs.Handle) {
			u.Remove(root, "sample")
			u.Mkdir(root, "sample", 0o755)
		}, nfs.ErrExist},
		"MKDIR, and now a file": {nfs.ProcMkdir, func(u nfstest.User, root nfs.Handle) {
			u.Rmdir(root, "sample")
			u.Create(root, "sample", 0o644)
		}, nfs.ErrExist},
		"SYMLINK, and now one to elsewhere": {nfs.ProcSymlink, func(u nfstest.User, root nfs.Handle) {
			u.Remove(root, "sample")
			u.Symlink(root, "sample", "elsewhere")
		}, nfs.ErrExist},
		"MKNOD, and now a file": {nfs.ProcMknod, func(u nfstest.User, root nfs.Handle) {
			u.Remove(root, "sample")
			u.Create(root, "sample", 0o644)
		}, nfs.ErrExist},
		"LINK, and now another file": {nfs.ProcLink, func(u nfstest.User, root nfs.Handle) {
			u.Remove(root, "sample")
			u.Create(root, "sample", 0o644)
		}, nfs.ErrExist},
		"RENAME, and now nothing": {nfs.ProcRename, func(u nfstest.User, root nfs.Handle) { u.Remove(root, "sample") }, nfs.ErrNoEnt},
		"SETATTR, and now another mode": {nfs.ProcSetAttr, func(u nfstest.User, root nfs.Handle) {
			u.Chmod(u.Lookup(root, "f").Object, 0o611)
		}, nfs.ErrNotSync},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			dir, f := l.fill()
			a := guarded(l, c.p, nfstest.Sample(c.p, dir, f))
			l.killedIn(nfstest.After, 77, c.p, a)
			c.between(nfstest.User{T: t, FS: l.mem}, l.mem.Root())
			expect(t, name, l.status(here, 77, c.p, a), c.want)
		})
	}
}

// Only the call whose intent is open may find its work done.
func TestH2_OtherCallsAreToldTheTruth(t *testing.T) {
	l := newLives(t)
	dir, f := l.fill()
	l.mem.Put("there", nil)
	remove := nfstest.Sample(nfs.ProcRemove, dir, f)
	l.killedIn(nfstest.After, 77, nfs.ProcRemove, remove)
	expect(t, "another client", l.status(there, 77, nfs.ProcRemove, remove), nfs.ErrNoEnt)
	expect(t, "another XID", l.status(here, 78, nfs.ProcRemove, remove), nfs.ErrNoEnt)
	expect(t, "another name", l.status(here, 77, nfs.ProcRemove, &nfs.DirOp{Dir: dir, Name: "g"}), nfs.ErrNoEnt)
	expect(t, "another procedure", l.status(here, 77, nfs.ProcRmdir, remove), nfs.ErrNoEnt)
	mkdir := func(name string) nfs.Message { return &nfs.MkdirArgs{Where: nfs.DirOp{Dir: dir, Name: name}} }
	expect(t, "what is there", l.status(here, 77, nfs.ProcMkdir, mkdir("d")), nfs.ErrExist)
	l.killedIn(nfstest.After, 79, nfs.ProcMkdir, mkdir("new"))
	expect(t, "another client's MKDIR", l.status(there, 79, nfs.ProcMkdir, mkdir("new")), nfs.ErrExist)
	expect(t, "MKDIR under another XID", l.status(here, 80, nfs.ProcMkdir, mkdir("new")), nfs.ErrExist)
	expect(t, "the MKDIR itself", l.status(here, 79, nfs.ProcMkdir, mkdir("new")), nfs.OK)
	expect(t, "the call itself, lives later", l.status(here, 77, nfs.ProcRemove, remove), nfs.OK)
}

// A client that was told to ask again may do so under another XID, as Linux does.
func TestH2_WhoWasToldToAskAgainMayUseAnotherXID(t *testing.T) {
	for _, killed := range []bool{false, true} {
		l := newLives(t)
		dir, f := l.fill()
		a := nfstest.Sample(nfs.ProcRemove, dir, f)
		trap := l.mem.Fail(nfstest.After, nfs.ErrOutcomeUnknown, nfstest.Only(nfs.ProcRemove))
		expect(t, "the first time", l.status(here, 1, nfs.ProcRemove, a), nfs.ErrJukebox)
		trap.Release()
		trap = l.mem.Fail(nfstest.Before, nfs.ErrAway, nfstest.Only(nfs.ProcRemove))
		for xid := range uint32(3) {
			if killed {
				l.kill()
			}
			expect(t, "while it is away", l.status(here, 2+xid, nfs.ProcRemove, a), nfs.ErrJukebox)
		}
		trap.Release()
		if killed {
			l.kill()
		}
		expect(t, "another client", l.status(there, 5, nfs.ProcRemove, a), nfs.ErrNoEnt)
		expect(t, "the next time", l.status(here, 5, nfs.ProcRemove, a), nfs.OK)
		if killed {
			l.kill()
		}
		expect(t, "then", l.status(here, 6, nfs.ProcRemove, a), nfs.ErrNoEnt)
		expect(t, "again", l.status(here, 5, nfs.ProcRemove, a), nfs.OK)
		expect(t, "a late first one", l.status(here, 1, nfs.ProcRemove, a), nfs.ErrNoEnt)
	}
}

// While the look at what there is finds nobody, nobody knows.
func TestH2_ALookThatFailsLeavesTheCallInDoubt(t *testing.T) {
	l := newLives(t)
	dir, f := l.fill()
	a := nfstest.Sample(nfs.ProcMkdir, dir, f)
	l.killedIn(nfstest.After, 77, nfs.ProcMkdir, a)
	trap := l.mem.Fail(nfstest.Before, nfs.ErrAway, nfstest.Only(nfs.ProcLookup))
	expect(t, "while it is away", l.status(here, 77, nfs.ProcMkdir, a), nfs.ErrJukebox)
	trap.Release()
	expect(t, "then", l.status(here, 78, nfs.ProcMkdir, a), nfs.OK)
}

// What wasn't executed leaves nothing open.
func TestH2_ACallThatWasNotExecutedLeavesNoIntent(t *testing.T) {
	l := newLives(t)
	dir, f := l.fill()
	a := nfstest.Sample(nfs.ProcMkdir, dir, f)
	trap := l.mem.Fail(nfstest.Before, nfs.ErrAway, nfstest.Only(nfs.ProcMkdir))
	expect(t, "while it is away", l.status(here, 1, nfs.ProcMkdir, a), nfs.ErrJukebox)
	trap.Release()
	nfstest.User{T: t, FS: l.mem}.Mkdir(l.mem.Root(), "sample", 0o755)
	l.kill()
	expect(t, "the same call", l.status(here, 1, nfs.ProcMkdir, a), nfs.ErrExist)
}

func TestH2_TheIntentIsKeptBeforeTheCallIsExecutedAndTheOutcomeBeforeItIsAnswered(t *testing.T) {
	var c *raw
	var dir, f nfs.Handle
	var kept []Record
	goOn := make(chan struct{})
	l := &life{Requests: new(MemRequests)}
	r := newRig(t, nfstest.Options{}, func(r *rig, o *Options) {
		o.Requests = l
		l.look = func(k Record) {
			k.Answer = bytes.Clone(k.Answer)
			kept = append(kept, k)
			if k.Step == Intent && r.mem.Calls(nfs.ProcMkdir) > 0 {
				t.Error("it has been executed when its intent is kept")
			}
			if k.Step == Outcome {
				c.send(78, 0, nfs.ProcGetAttr, nfstest.Sample(nfs.ProcGetAttr, dir, f))
				<-goOn
			}
		}
	})
	dir, f = r.fill()
	c = r.raw(here)
	c.send(77, 0, nfs.ProcMkdir, nfstest.Sample(nfs.ProcMkdir, dir, f))
	xid, _ := c.reply()
	close(goOn)
	if xid != 78 {
		t.Fatal("it is answered before its outcome is kept")
	}
	_, answer := c.reply()
	if len(kept) != 2 || kept[0].Step != Intent || kept[0].ID != kept[1].ID || kept[1].ID.XID != 77 || !bytes.Equal(kept[1].Answer, answer) {
		t.Errorf("%+v\nanswered: % x", kept, answer)
	}
}

// severed is a file system that goes on although the server has been cut down meanwhile, as a kernel does.
type severed struct {
	FileSystem
	cut context.CancelFunc
}

func (f severed) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	f.cut()
	return f.FileSystem.Do(context.WithoutCancel(ctx), c, p, a, r)
}

// heedful is a Requests that keeps nothing for who can't wait any more.
type heedful struct{ *MemRequests }

func (h heedful) Keep(ctx context.Context, r Record) {
	if ctx.Err() == nil {
		h.MemRequests.Keep(ctx, r)
	}
}

func TestH2_AnOutcomeIsKeptThoughTheServerIsCutDown(t *testing.T) {
	ctx, cut := context.WithCancel(t.Context())
	kept := heedful{new(MemRequests)}
	r := newRig(t, nfstest.Options{}, func(r *rig, o *Options) { r.export.Files, o.Requests = severed{r.files, cut}, kept })
	dir, f := r.fill()
	var e xdr.Encoder
	nfstest.Sample(nfs.ProcMkdir, dir, f).Encode(&e)
	c := &rpc.Call{CallHeader: rpc.CallHeader{XID: 7, Procedure: uint32(nfs.ProcMkdir)}, Remote: local, Args: e.Bytes()}
	r.server.Serve(ctx, c)
	if list := kept.Earlier(); len(list) != 2 || list[1].Step != Outcome {
		t.Errorf("%+v", list)
	}
}

// What reads or writes is not slowed.
func TestOnlyWhatMustNotBeExecutedTwiceIsKept(t *testing.T) {
	for _, p := range procedures() {
		l := newLives(t)
		dir, f := l.fill()
		l.ask(here, 77, p, nfstest.Sample(p, dir, f))
		if n, want := len(l.kept.Earlier()), slices.Contains(nonIdempotent, p); n > 0 != want || n > 2 {
			t.Errorf("%v: %d records", p, n)
		}
	}
}
