package export

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// A request's groups are its own: what is read later on behalf of its user is read with the groups that this user had then.
func TestWhoReadsOnIsWhoWasLetReadWithTheGroupsOfThen(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 65536))
	r.root.SetAttr(h, nfs.SetAttr{Mode: nfs.Some[uint32](0o640), GID: nfs.Some[uint32](100)})
	member := r.root.As(1000, 1000, 100)
	if got := member.Read(h, 0, 4096); got.Status != nfs.OK {
		t.Fatal(got.Status)
	}
	member.Caller.GIDs[0] = 7 // the request's memory is another's now
	n := r.export.table.use(h)
	defer r.export.table.letGo(n)
	if err := r.export.volumeOf(n).Prefetch(t.Context(), 8192, 4096); err != nil {
		t.Error(err)
	}
}

// Who may not read a file takes nothing from those who may.
func TestWhoMayNotReadAFileDoesNotTakeOthersRightsBack(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 5000))
	r.root.Chmod(h, 0o600)
	r.expect(h, of('a', 5000))
	other := r.root.As(1000, 100)
	if n := r.asks(nfs.ProcRead, func() {
		if got := other.Read(h, 0, 100); got.Status != nfs.ErrAcces {
			t.Error(got.Status)
		}
		r.expect(h, of('a', 5000))
	}); n != 1 {
		t.Errorf("%d READs", n)
	}
}

// A change of rights of which nobody knows whether it was made: everybody has to ask again.
func TestE3_AfterAChmodOfUnknownOutcomeNobodyHasRights(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 5000))
	other := r.root.As(1000, 100)
	other.Read(h, 0, 100)
	lost := r.mem.Fail(nfstest.After, fmt.Errorf("lost: %w", nfs.ErrOutcomeUnknown), nfstest.Only(nfs.ProcSetAttr))
	var result nfs.WccResult
	_ = r.export.Do(t.Context(), &nfs.Caller{}, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o600)}}, &result)
	lost.Release()
	late := r.mem.Hold(nfstest.After, at(4096)) // what is learned meanwhile is not taken in
	written := start(func() { r.root.Write(h, 4096, nfs.FileSync, of('a', 100)) })
	<-late.Caught
	if got := other.Read(h, 0, 100); got.Status != nfs.ErrAcces {
		t.Error(got.Status)
	}
	late.Release()
	<-written
}

// Whatever is called off in the middle leaves nothing behind.
func TestWhatIsCalledOffLeavesNothingBehind(t *testing.T) {
	for p, stage := range map[nfs.Procedure]nfstest.Stage{nfs.ProcGetAttr: nfstest.Before, nfs.ProcSetAttr: nfstest.After, nfs.ProcLookup: nfstest.Before,
		nfs.ProcAccess: nfstest.After, nfs.ProcRead: nfstest.After, nfs.ProcWrite: nfstest.After, nfs.ProcCreate: nfstest.Before, nfs.ProcRemove: nfstest.After,
		nfs.ProcRename: nfstest.Before, nfs.ProcLink: nfstest.After, nfs.ProcCommit: nfstest.Before} {
		t.Run(p.String(), func(t *testing.T) {
			r := newRig(t)
			root, h := r.mem.Root(), r.mem.Put("a", of('a', 100))
			calls := map[nfs.Procedure]nfs.Message{
				nfs.ProcGetAttr: &nfs.HandleArgs{Object: h}, nfs.ProcSetAttr: &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some[uint64](7)}},
				nfs.ProcLookup: &nfs.DirOp{Dir: root, Name: "a"}, nfs.ProcAccess: &nfs.AccessArgs{Object: h, Access: nfs.AccessRead},
				nfs.ProcRead: &nfs.ReadArgs{File: h, Count: 100}, nfs.ProcWrite: &nfs.WriteArgs{File: h, Data: of('b', 50)},
				nfs.ProcCreate: &nfs.CreateArgs{Where: nfs.DirOp{Dir: root, Name: "a"}, Attr: nfs.SetAttr{Size: nfs.Some[uint64](7)}},
				nfs.ProcRemove: &nfs.DirOp{Dir: root, Name: "a"},
				nfs.ProcRename: &nfs.RenameArgs{From: nfs.DirOp{Dir: root, Name: "a"}, To: nfs.DirOp{Dir: root, Name: "b"}},
				nfs.ProcLink:   &nfs.LinkArgs{File: h, Link: nfs.DirOp{Dir: root, Name: "b"}}, nfs.ProcCommit: &nfs.CommitArgs{File: h},
			}
			held := r.mem.Hold(stage, nfstest.Only(p))
			ctx, cancel := context.WithCancel(t.Context())
			done := start(func() {
				_, result := nfs.NewMessages(p)
				if x, ok := result.(*nfs.ReadResult); ok {
					x.Data = make([]byte, 100)
				}
				_ = client{r.export}.Do(ctx, &nfs.Caller{}, p, calls[p], result)
			})
			<-held.Caught
			cancel()
			<-done
			held.Release()
			r.idle()
			if want := (nfstest.User{T: t, FS: r.mem}).GetAttr(h); r.root.GetAttr(h) != want {
				t.Error("attributes are not the array's")
			}
		})
	}
}

// Who has the user id of somebody else, but not the groups, is somebody else.
func TestWhatOneMayIsForNobodyWithOtherGroups(t *testing.T) {
	r := newRig(t)
	r.mem.Put("dir/a", of('a', 100))
	dir, h := r.mem.Find("dir"), r.mem.Find("dir/a")
	group := nfs.SetAttr{Mode: nfs.Some[uint32](0o750), GID: nfs.Some[uint32](100)}
	r.root.SetAttr(dir, group)
	r.root.SetAttr(h, group)
	for name, c := range map[string]struct{ member, other nfstest.User }{
		"group":  {r.root.As(1000, 100), r.root.As(1000, 7)},
		"groups": {r.root.As(1000, 7, 5, 100), r.root.As(1000, 7, 5)},
		"user":   {r.root.As(0, 7), r.root.As(1000, 7)},
	} {
		for range 2 {
			if got := c.member.Read(h, 0, 100); got.Status != nfs.OK {
				t.Errorf("%s: READ %v", name, got.Status)
			}
			if got := c.member.Lookup(dir, "a"); got.Status != nfs.OK {
				t.Errorf("%s: LOOKUP %v", name, got.Status)
			}
			if got := c.member.Access(h, nfs.AccessRead); got.Access != nfs.AccessRead {
				t.Errorf("%s: ACCESS %#x", name, got.Access)
			}
			if got := c.other.Read(h, 0, 100); got.Status != nfs.ErrAcces {
				t.Errorf("%s: READ of another %v", name, got.Status)
			}
			if got := c.other.Lookup(dir, "a"); got.Status != nfs.ErrAcces {
				t.Errorf("%s: LOOKUP of another %v", name, got.Status)
			}
			if got := c.other.Access(h, nfs.AccessRead); got.Access != 0 {
				t.Errorf("%s: ACCESS of another %#x", name, got.Access)
			}
		}
	}
}

// Groups change without a trace, so that what the array has let a user do is asked for again.
func TestWhatOneMayIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		h := r.mem.Put("a", of('a', 100))
		r.expect(h, of('a', 100))
		for after, want := range []int{0, 1} {
			time.Sleep(grantLife/2 + time.Second)
			if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 100)) }); n != want {
				t.Errorf("%d READs in the %d. half of a grant's life", n, after+1)
			}
		}
	})
}

func TestAccessIsAnsweredAsTheArrayDidForAsLongAsAttributesAreTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.AttributeCache = 3 * time.Second })
		h := r.mem.Put("a", of('a', 100))
		other := r.root.As(1000, 100)
		ask := func() {
			if got := other.Access(h, nfs.AccessRead|nfs.AccessModify); got.Access != nfs.AccessRead {
				t.Errorf("%#x", got.Access)
			}
		}
		ask()
		if n := r.asks(nfs.ProcAccess, ask); n != 0 {
			t.Errorf("%d times ACCESS", n)
		}
		time.Sleep(4 * time.Second)
		if n := r.asks(nfs.ProcAccess, ask); n != 1 {
			t.Errorf("%d times ACCESS after the timeout", n)
		}
	})
}

func TestRightsAreBounded(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	for uid := range uint32(100) {
		if got := r.root.As(uid, 1).Read(h, 0, 100); got.Status != nfs.OK {
			t.Fatal(got.Status)
		}
	}
	n := r.export.table.use(h)
	defer r.export.table.letGo(n)
	if users := len(n.mu.grants.list); users > maxGrants {
		t.Errorf("what %d users may is remembered", users)
	}
}

// A change of a file's names and one of its rights move the same time: the rights tell.
func TestRightsTakenAwayBehindOurBackAreNoticedThoughTheFileIsLinked(t *testing.T) {
	for name, change := range map[string]nfs.SetAttr{"mode": {Mode: nfs.Some[uint32](0o600)}, "owner": {UID: nfs.Some[uint32](5), Mode: nfs.Some[uint32](0o640)},
		"group": {GID: nfs.Some[uint32](5)}} {
		r := newRig(t)
		h := r.mem.Put("a", of('a', 100))
		r.root.SetAttr(h, nfs.SetAttr{Mode: nfs.Some[uint32](0o640), UID: nfs.Some[uint32](1000), GID: nfs.Some[uint32](100)})
		user := r.root.As(2000, 100)
		if name == "owner" {
			user = r.root.As(1000, 1)
		}
		if got := user.Read(h, 0, 100); got.Status != nfs.OK {
			t.Fatal(got.Status)
		}
		r.root.Link(h, r.mem.Root(), "b")
		nfstest.User{T: t, FS: r.mem}.SetAttr(h, change)
		r.root.GetAttr(h)
		if got := user.Read(h, 0, 100); got.Status != nfs.ErrAcces {
			t.Errorf("%s: %v", name, got.Status)
		}
	}
}

func TestWhatOneMightBeforeAChmodIsNotTakenForWhatOneMayAfterIt(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	r.expect(h, of('a', 100))
	other := r.root.As(1000, 100)
	late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcRead, nfs.ProcAccess))
	read := start(func() { other.Read(h, 0, 100) })
	<-late.Caught
	asked := start(func() { other.Access(h, nfs.AccessRead) })
	<-late.Caught
	r.root.Chmod(h, 0o600)
	late.Release()
	<-read
	<-asked
	r.root.GetAttr(h)
	if got := other.Read(h, 0, 100); got.Status != nfs.ErrAcces {
		t.Error(got.Status)
	}
	if got := other.Access(h, nfs.AccessRead); got.Access != 0 {
		t.Errorf("%#x", got.Access)
	}
}

// Others' access lists show in the ctime alone.
func TestWhatOneMayIsAskedForAgainWhenOthersHaveChangedTheObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.AttributeCache = 3 * time.Second })
		h := r.mem.Put("a", of('a', 100))
		r.root.Access(h, nfs.AccessRead)
		nfstest.User{T: t, FS: r.mem}.Chmod(h, r.root.GetAttr(h).Attr.Mode)
		time.Sleep(4 * time.Second)
		r.root.GetAttr(h)
		if n := r.asks(nfs.ProcAccess, func() { r.root.Access(h, nfs.AccessRead) }); n != 1 {
			t.Errorf("%d times ACCESS", n)
		}
	})
}
