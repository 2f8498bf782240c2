package nfs

import (
	"context"
	"errors"
	"testing"
	"time"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
)

// twice is a change and what it comes to when it is executed twice.
type twice struct {
	name     string
	p        wire.Procedure
	args     func(root, file wire.Handle) wire.Message
	between  func(u nfstest.User, root, file wire.Handle) // what others do after the first time
	want     wire.Status
	complete func(t *testing.T, s *san, r wire.Message) // looks at the result
}

func at(root wire.Handle, name string) wire.DirOp { return wire.DirOp{Dir: root, Name: name} }

// made looks at the handle and the attributes in a result.
func made(name string, kind wire.FileType) func(t *testing.T, s *san, r wire.Message) {
	return func(t *testing.T, s *san, r wire.Message) {
		c := r.(*wire.CreateResult)
		mustBe(t, "handle", c.Object.Value, s.mem.Find(name))
		mustBe(t, "type", c.Attr.Value.Type, kind)
	}
}

func twices() []twice {
	nothing := func(*testing.T, *san, wire.Message) {}
	return []twice{
		{name: "REMOVE", p: wire.ProcRemove, want: wire.OK, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message { o := at(root, "file"); return &o }},
		{name: "RMDIR", p: wire.ProcRmdir, want: wire.OK, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message { o := at(root, "dir"); return &o }},
		{name: "RENAME", p: wire.ProcRename, want: wire.OK, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.RenameArgs{From: at(root, "file"), To: at(root, "new")}
			}},
		{name: "RENAME, of which nothing is left", p: wire.ProcRename, want: wire.ErrNoEnt, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.RenameArgs{From: at(root, "file"), To: at(root, "new")}
			},
			between: func(u nfstest.User, root, _ wire.Handle) { u.Remove(root, "new") }},
		{name: "MKDIR", p: wire.ProcMkdir, want: wire.OK, complete: made("new", wire.Directory),
			args: func(root, _ wire.Handle) wire.Message { return &wire.MkdirArgs{Where: at(root, "new")} }},
		{name: "MKDIR, of which others have made a file", p: wire.ProcMkdir, want: wire.ErrExist, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message { return &wire.MkdirArgs{Where: at(root, "new")} },
			between: func(u nfstest.User, root, _ wire.Handle) {
				u.Rmdir(root, "new")
				u.Create(root, "new", 0o644)
			}},
		{name: "SYMLINK", p: wire.ProcSymlink, want: wire.OK, complete: made("new", wire.SymbolicLink),
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.SymlinkArgs{Where: at(root, "new"), Path: "to/there"}
			}},
		{name: "SYMLINK, of which others have made another", p: wire.ProcSymlink, want: wire.ErrExist, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.SymlinkArgs{Where: at(root, "new"), Path: "to/there"}
			},
			between: func(u nfstest.User, root, _ wire.Handle) {
				u.Remove(root, "new")
				u.Symlink(root, "new", "to/elsewhere")
			}},
		{name: "MKNOD", p: wire.ProcMknod, want: wire.OK, complete: made("new", wire.FIFO),
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.MknodArgs{Where: at(root, "new"), Type: wire.FIFO}
			}},
		{name: "LINK", p: wire.ProcLink, want: wire.OK,
			args: func(root, file wire.Handle) wire.Message {
				return &wire.LinkArgs{File: file, Link: at(root, "new")}
			},
			complete: func(t *testing.T, _ *san, r wire.Message) {
				mustBe(t, "links", r.(*wire.LinkResult).Attr.Value.Nlink, uint32(2))
			}},
		{name: "LINK, of which others have made a file", p: wire.ProcLink, want: wire.ErrExist, complete: nothing,
			args: func(root, file wire.Handle) wire.Message {
				return &wire.LinkArgs{File: file, Link: at(root, "new")}
			},
			between: func(u nfstest.User, root, _ wire.Handle) {
				u.Remove(root, "new")
				u.Create(root, "new", 0o644)
			}},
		{name: "CREATE guarded", p: wire.ProcCreate, want: wire.OK, complete: made("new", wire.Regular),
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.CreateArgs{Where: at(root, "new"), Mode: wire.Guarded, Attr: wire.SetAttr{Mode: wire.Some[uint32](0o600)}}
			}},
		{name: "CREATE exclusive", p: wire.ProcCreate, want: wire.OK, complete: made("new", wire.Regular),
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.CreateArgs{Where: at(root, "new"), Mode: wire.Exclusive, Verifier: wire.Verifier{1, 2, 3}}
			}},
		{name: "CREATE exclusive, where another is", p: wire.ProcCreate, want: wire.ErrExist, complete: nothing,
			args: func(root, _ wire.Handle) wire.Message {
				return &wire.CreateArgs{Where: at(root, "file"), Mode: wire.Exclusive, Verifier: wire.Verifier{1, 2, 3}}
			}},
	}
}

// check looks at what a change came to.
func (c *twice) check(t *testing.T, s *san, err error, r wire.Message) {
	t.Helper()
	if err != nil || *wire.StatusOf(r) != c.want {
		t.Fatalf("%v, %v; want %v", *wire.StatusOf(r), err, c.want)
	}
	c.complete(t, s, r)
}

func (s *san) furnish() (file wire.Handle) {
	file = s.mem.Put("file", []byte("content"))
	user(s.t, s.mem).Mkdir(s.mem.Root(), "dir", 0o755)
	return file
}

func TestH2_AChangeWhoseReplyIsLostIsDoneOnce(t *testing.T) {
	for _, c := range twices() {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
				file := s.furnish()
				a := c.args(f.Root(), file)
				_, r := wire.NewMessages(c.p)
				held := s.mem.Hold(nfstest.After, first(nfstest.Only(c.p)))
				came := later(func() error { return f.Do(t.Context(), &wire.Caller{}, c.p, a, r) })
				<-held.Caught
				if c.between != nil {
					c.between(user(t, s.mem), f.Root(), file)
				}
				s.cut()
				c.check(t, s, <-came, r)
				held.Release()
			})
		})
	}
}

func TestH2_AChangeThatWasGivenUpIsDoneOnceWhenItIsAskedForAgain(t *testing.T) {
	for _, c := range twices() {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
				file := s.furnish()
				a := c.args(f.Root(), file)
				_, r := wire.NewMessages(c.p)
				held := s.mem.Hold(nfstest.After, first(nfstest.Only(c.p)))
				ctx, cancel := context.WithCancel(t.Context())
				came := later(func() error { return f.Do(ctx, &wire.Caller{}, c.p, a, r) })
				<-held.Caught
				cancel()
				mustBe(t, "outcome unknown", errors.Is(<-came, wire.ErrOutcomeUnknown), true)
				if c.between != nil {
					c.between(user(t, s.mem), f.Root(), file)
				}
				held.Release()
				c.check(t, s, f.Do(t.Context(), &wire.Caller{}, c.p, a, r), r)
			})
		})
	}
}

func TestH2_WhatIsAskedForOnceIsAnsweredAsItIs(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		u := user(t, f)
		s.furnish()
		mustBe(t, "REMOVE", u.Remove(f.Root(), "nothing").Status, wire.ErrNoEnt)
		mustBe(t, "CREATE", u.Create(f.Root(), "file", 0o644).Status, wire.ErrExist)
		mustBe(t, "MKDIR", u.Mkdir(f.Root(), "dir", 0o755).Status, wire.ErrExist)
		mustBe(t, "RENAME", u.Rename(f.Root(), "nothing", f.Root(), "file").Status, wire.ErrNoEnt)
	})
}

func TestH2_AnIntentIsOverWhenItWasMadeGood(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.furnish()
		held := s.mem.Hold(nfstest.After, first(nfstest.Only(wire.ProcRemove)))
		ctx, cancel := context.WithCancel(t.Context())
		remove := func(ctx context.Context) error {
			var r wire.WccResult
			o := at(f.Root(), "file")
			if err := f.Do(ctx, &wire.Caller{}, wire.ProcRemove, &o, &r); err != nil {
				return err
			}
			return errOr(r.Status)
		}
		came := later(func() error { return remove(ctx) })
		<-held.Caught
		cancel()
		<-came
		held.Release()
		mustBe(t, "the second time", remove(t.Context()), nil)
		mustBe(t, "the third time", remove(t.Context()), error(wire.ErrNoEnt))
	})
}

func TestH2_AnIntentOutlastsAFilerThatAsksForPatience(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		s.furnish()
		held := s.mem.Hold(nfstest.After, first(nfstest.Only(wire.ProcRemove)))
		ctx, cancel := context.WithCancel(t.Context())
		var r wire.WccResult
		o := at(f.Root(), "file")
		came := later(func() error { return f.Do(ctx, &wire.Caller{}, wire.ProcRemove, &o, &r) })
		<-held.Caught
		cancel()
		<-came
		held.Release()
		s.answer(func(_ wire.Procedure, r wire.Message, _ *rpc.Call) bool {
			*wire.StatusOf(r) = wire.ErrJukebox
			return false
		})
		mustBe(t, "not now", user(t, f).Remove(f.Root(), "file").Status, wire.ErrJukebox)
		s.answer(nil)
		mustBe(t, "now", user(t, f).Remove(f.Root(), "file").Status, wire.OK)
	})
}

func TestH2_IntentsAreBoundedAndExpire(t *testing.T) {
	story(t, func(*testing.T, *Filer, *san, *events) {
		var i intents
		for n := range maxIntents + 1 {
			i.open(string(rune(n)))
			time.Sleep(time.Millisecond)
		}
		mustBe(t, "intents", len(i.list), maxIntents)
		mustBe(t, "the oldest", i.isOpen(string(rune(0))), false)
		mustBe(t, "the latest", i.isOpen(string(rune(maxIntents))), true)
		time.Sleep(intentLife)
		mustBe(t, "in the end", i.isOpen(string(rune(maxIntents))), false)
	})
}

func TestH2_AGuardedSetAttrThatWasExecutedIsSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		between func(u nfstest.User, h wire.Handle)
		want    wire.Status
	}{
		"alone":                    {func(nfstest.User, wire.Handle) {}, wire.OK},
		"others have come between": {func(u nfstest.User, h wire.Handle) { u.Chmod(h, 0o611) }, wire.ErrNotSync},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
				h := s.furnish()
				guard := user(t, f).GetAttr(h).Attr.Ctime
				held := s.mem.Hold(nfstest.After, first(nfstest.Only(wire.ProcSetAttr)))
				var r wire.WccResult
				came := later(func() error {
					set := wire.SetAttr{Mode: wire.Some[uint32](0o640), Size: wire.Some[uint64](3), Mtime: wire.SetTime{How: wire.SetToClientTime, Time: wire.Time{Seconds: 7}}}
					return f.Do(t.Context(), &wire.Caller{}, wire.ProcSetAttr, &wire.SetAttrArgs{Object: h, Attr: set, Guard: wire.Some(guard)}, &r)
				})
				<-held.Caught
				c.between(user(t, s.mem), h)
				s.cut()
				mustBe(t, "error", <-came, nil)
				mustBe(t, "status", r.Status, c.want)
				mustBe(t, "size", r.Wcc.After.Value.Size, uint64(3))
				held.Release()
			})
		})
	}
}
