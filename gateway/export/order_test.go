package export

import (
	"errors"
	"fmt"
	"testing"

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

func TestAShortWriteIsWrittenToItsEnd(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Files = nfstest.New(nfstest.Options{WriteMax: 1000, ReadMax: 700}) })
	mem := r.export.opts.Files.(*nfstest.Mem)
	h := mem.Put("a", nil)
	if got := r.root.Write(h, 10, nfs.FileSync, of('a', 4321)); got.Status != nfs.OK || got.Count != 4321 {
		t.Fatalf("%+v", got)
	}
	r.expect(h, append(make([]byte, 10), of('a', 4321)...))
}
