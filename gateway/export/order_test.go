package export

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// A GETATTR that was executed before a WRITE, and is answered after it, is older than what is known.
func TestAttributesOfBeforeAChangeAreNotTakenForThoseAfterIt(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	late := r.mem.Hold(nfstest.After, nfstest.Only(nfs.ProcGetAttr))
	asked := make(chan nfs.GetAttrResult)
	go func() { asked <- r.root.GetAttr(h) }()
	<-late.Caught
	r.root.Write(h, 100, nfs.FileSync, of('b', 100))
	late.Release()
	<-asked
	if got := r.root.GetAttr(h); got.Attr.Size != 200 {
		t.Errorf("size %d", got.Attr.Size)
	}
	r.expect(h, append(of('a', 100), of('b', 100)...))
}

// A name that was looked up before a RENAME, and is answered after it, leads nowhere any more.
func TestANameThatARenameOvertookIsNotRemembered(t *testing.T) {
	r := newRig(t)
	h, root := r.mem.Put("a", of('a', 100)), r.mem.Root()
	var one atomic.Bool
	late := r.mem.Hold(nfstest.After, func(p nfs.Procedure, _ nfs.Message) bool { return p == nfs.ProcLookup && !one.Swap(true) })
	looked := start(func() { r.root.Lookup(root, "a") })
	<-late.Caught
	r.root.Rename(root, "a", root, "b")
	r.root.Lookup(root, "b")
	late.Release()
	<-looked
	r.root.GetAttr(root)
	r.root.GetAttr(h)
	if got := r.root.Lookup(root, "a"); got.Status != nfs.ErrNoEnt {
		t.Error(got.Status)
	}
}

// A fill that read before a WRITE installs nothing after it.
func TestG1_AFillThatAWriteOvertookIsNotInstalled(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 8192))
	r.root.Read(h, 0, 1) // may be read
	late := r.mem.Hold(nfstest.After, func(p nfs.Procedure, a nfs.Message) bool {
		return p == nfs.ProcRead && a.(*nfs.ReadArgs).Count > 1
	})
	read := make(chan nfs.ReadResult)
	go func() { read <- r.root.Read(h, 4096, 4096) }()
	<-late.Caught
	r.root.Write(h, 4096, nfs.FileSync, of('b', 4096))
	late.Release()
	<-read
	r.expect(h, append(of('a', 4096), of('b', 4096)...))
}

// Likewise with a truncation.
func TestG1_AFillThatATruncationOvertookIsNotInstalled(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 8192))
	r.root.Read(h, 0, 1)
	late := r.mem.Hold(nfstest.After, func(p nfs.Procedure, a nfs.Message) bool {
		return p == nfs.ProcRead && a.(*nfs.ReadArgs).Count > 1
	})
	read := make(chan nfs.ReadResult)
	go func() { read <- r.root.Read(h, 4096, 4096) }()
	<-late.Caught
	r.root.Truncate(h, 100)
	r.root.Truncate(h, 8192)
	late.Release()
	<-read
	r.expect(h, append(of('a', 100), make([]byte, 8092)...))
}

// What a truncation has taken away is not there any more, rather than zeros, which the file has never had.
func TestAReadThatATruncationOvertakesEndsWhereTheFileDoes(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*Options)
		truncate func(r *rig, h nfs.Handle)
		left     int
	}{
		"ours":     {func(*Options) {}, func(r *rig, h nfs.Handle) { r.root.Truncate(h, 100) }, 100},
		"a CREATE": {func(*Options) {}, func(r *rig, _ nfs.Handle) { r.truncate("a") }, 0},
		"others'":  {func(*Options) {}, func(r *rig, h nfs.Handle) { nfstest.User{T: r.T, FS: r.mem}.Truncate(h, 100) }, 100},
		"others', where nothing is taken for true": {without, func(r *rig, h nfs.Handle) { nfstest.User{T: r.T, FS: r.mem}.Truncate(h, 100) }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.change)
			h := r.mem.Put("a", of('a', 8192))
			r.root.Read(h, 0, 1)
			late := r.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
				return p == nfs.ProcRead && a.(*nfs.ReadArgs).Offset == 4096 && a.(*nfs.ReadArgs).Count > 1
			})
			read := make(chan nfs.ReadResult)
			go func() { read <- r.root.Read(h, 0, 8192) }()
			<-late.Caught
			c.truncate(r, h)
			late.Release()
			got := <-read
			if got.Status != nfs.OK || int(got.Count) != c.left || !got.EOF || !bytes.Equal(got.Data, of('a', c.left)) || int(got.Attr.Value.Size) != c.left {
				t.Errorf("%v: %d bytes, EOF %v, of a file of %d", got.Status, got.Count, got.EOF, got.Attr.Value.Size)
			}
		})
	}
}

// An array need not take attributes atomically with what it reads.
func TestAReadThatEndsBeforeTheSizeBesideItIsAskedAgain(t *testing.T) {
	var r *rig
	var h nfs.Handle
	cut := false
	r = newRig(t, lying(nfs.ProcRead, func(m nfs.Message) error {
		if read := m.(*nfs.ReadResult); !cut && read.Count > 1 {
			cut = true
			nfstest.User{T: t, FS: r.mem}.Truncate(h, 100)
			read.Count, read.Data, read.EOF = 100, read.Data[:100], true // beside the attributes of before
		}
		return nil
	}))
	h = r.mem.Put("a", of('a', 8192))
	r.expect(h, of('a', 100))
	r.expect(h, of('a', 100))
}

func TestWritesOfTheSameBytesReachTheArrayInOrder(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", nil)
	first := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcWrite))
	done := make(chan nfs.WriteResult, 2)
	go func() { done <- r.root.Write(h, 0, nfs.FileSync, of('a', 5000)) }()
	<-first.Caught
	go func() { done <- r.root.Write(h, 1000, nfs.FileSync, of('b', 5000)) }()
	first.Release()
	<-done
	<-done
	got := r.mem.Get("a")
	if len(got) != 6000 || got[0] != 'a' || got[999] != 'a' || got[1000] != got[4999] || got[5999] != 'b' {
		t.Errorf("%d bytes", len(got))
	}
	r.expect(h, got)
}

// The attributes that a SETATTR and a WRITE answer are those of no other moment: neither reaches the array while the other is under way.
func TestASetAttrAndAWriteOfAFileWaitForEachOther(t *testing.T) {
	for name, c := range map[string]struct{ first, second nfs.Procedure }{
		"a SETATTR for a WRITE": {nfs.ProcWrite, nfs.ProcSetAttr}, "a WRITE for a SETATTR": {nfs.ProcSetAttr, nfs.ProcWrite},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				h := r.mem.Put("a", of('a', 100))
				change := map[nfs.Procedure]func(){
					nfs.ProcWrite:   func() { r.root.Write(h, 200, nfs.FileSync, of('b', 100)) },
					nfs.ProcSetAttr: func() { r.root.Chmod(h, 0o600) },
				}
				held := r.mem.Hold(nfstest.After, nfstest.Only(c.first))
				first := start(change[c.first])
				<-held.Caught
				var second <-chan struct{}
				if n := r.asks(c.second, func() { second = start(change[c.second]); synctest.Wait() }); n != 0 {
					t.Errorf("%v reaches the array", c.second)
				}
				held.Release()
				<-first
				<-second
			})
		})
	}
}

func TestE3_WhatAWriteOfUnknownOutcomeLeftIsReadFromTheArray(t *testing.T) {
	for name, stage := range map[string]nfstest.Stage{"executed": nfstest.After, "not executed": nfstest.Before} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			h := r.mem.Put("a", of('a', 8192))
			r.expect(h, of('a', 8192))
			unknown := r.mem.Fail(stage, fmt.Errorf("lost: %w", nfs.ErrOutcomeUnknown), nfstest.Only(nfs.ProcWrite))
			var result nfs.WriteResult
			err := r.export.Do(t.Context(), &nfs.Caller{}, nfs.ProcWrite, &nfs.WriteArgs{File: h, Offset: 4096, Stable: nfs.FileSync, Data: of('b', 100)}, &result)
			if !errors.Is(err, nfs.ErrOutcomeUnknown) {
				t.Fatal(err)
			}
			unknown.Release()
			r.expect(h, r.mem.Get("a"))
		})
	}
}

func TestE1_WhatAnArrayForgotThatRestartedIsNotServed(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 8192))
	r.root.Write(h, 0, nfs.Unstable, of('b', 8192))
	r.expect(h, of('b', 8192))
	r.mem.Restart()
	before := r.root.Write(r.mem.Put("other", nil), 0, nfs.Unstable, of('c', 1)) // whose answer tells
	r.expect(h, of('a', 8192))
	if got := r.root.Commit(h); got.Verifier != before.Verifier {
		t.Error("the client is not told of the new verifier")
	}
}

// An array that says no attributes with a COMMIT tells by its verifier alone.
func TestE1_WhatAnArrayForgotThatRestartedIsNotServedAfterACommit(t *testing.T) {
	r := newRig(t, lying(nfs.ProcCommit, func(r nfs.Message) error {
		r.(*nfs.CommitResult).Wcc = nfs.WccData{}
		return nil
	}))
	h := r.mem.Put("a", of('a', 8192))
	r.root.Write(h, 0, nfs.Unstable, of('b', 8192))
	r.expect(h, of('b', 8192))
	r.mem.Restart()
	r.root.Commit(h)
	r.expect(h, of('a', 8192))
}

// Who is told that what was written is not durable may take it that it is not served as if it were there.
func TestE1_WhatAFailedCommitMayHaveLostIsNotServed(t *testing.T) {
	for _, status := range []nfs.Status{nfs.ErrIO, nfs.ErrNoSpc, nfs.ErrDQuot} {
		r := newRig(t, lying(nfs.ProcCommit, func(r nfs.Message) error {
			*r.(*nfs.CommitResult) = nfs.CommitResult{Status: status}
			return nil
		}))
		other := newRig(t, func(o *Options) { o.Files = r.mem })
		Beside(r.export, other.export)
		h := r.mem.Put("a", of('a', 8192))
		r.root.Write(h, 0, nfs.Unstable, of('b', 8192))
		r.expect(h, of('b', 8192))
		other.expect(h, of('b', 8192))
		r.mem.Restart()
		if got := r.root.Commit(h); got.Status != status {
			t.Errorf("%v", got.Status)
		}
		r.expect(h, of('a', 8192))
		other.expect(h, of('a', 8192))
	}
}

// A WRITE that goes in pieces is no more durable than the least of them.
func TestAWriteInPiecesIsAsStableAsTheLeastOfThem(t *testing.T) {
	pieces := 0
	r := newRig(t, func(o *Options) { o.Files = nfstest.New(nfstest.Options{WriteMax: 1000}) }, lying(nfs.ProcWrite, func(r nfs.Message) error {
		if pieces++; pieces == 2 {
			r.(*nfs.WriteResult).Committed = nfs.Unstable
		}
		return nil
	}))
	h := r.export.opts.Files.(*liar).FileSystem.(*nfstest.Mem).Put("a", nil)
	if got := r.root.Write(h, 0, nfs.DataSync, of('a', 3000)); got.Status != nfs.OK || got.Count != 3000 || got.Committed != nfs.Unstable {
		t.Errorf("%+v", got)
	}
}

func TestAShortWriteIsWrittenToItsEnd(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Files = nfstest.New(nfstest.Options{WriteMax: 1000, ReadMax: 700}) })
	mem := r.export.opts.Files.(*nfstest.Mem)
	h := mem.Put("a", nil)
	if got := r.root.Write(h, 10, nfs.FileSync, of('a', 4321)); got.Status != nfs.OK || got.Count != 4321 {
		t.Fatalf("%+v", got)
	}
	r.expect(h, append(make([]byte, 10), of('a', 4321)...))
}
