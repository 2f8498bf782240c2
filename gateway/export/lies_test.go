package export

import (
	"context"
	"errors"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// liar is a file system whose answers to one procedure are others.
type liar struct {
	nfs.FileSystem
	of  nfs.Procedure
	lie func(r nfs.Message) error
}

func (l *liar) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if err := l.FileSystem.Do(ctx, c, p, a, r); err != nil || p != l.of {
		return err
	}
	return l.lie(r)
}

// lying has an export's array lie.
func lying(p nfs.Procedure, lie func(r nfs.Message) error) func(*Options) {
	return func(o *Options) { o.Files = &liar{o.Files, p, lie} }
}

func TestAnArrayThatAnswersAReadWithMoreThanWasAskedForIsRefused(t *testing.T) {
	r := newRig(t, lying(nfs.ProcRead, func(r nfs.Message) error {
		r.(*nfs.ReadResult).Count += 5000
		return nil
	}))
	h := r.mem.Put("a", of('a', 100))
	if status, err := r.outcome(nfs.ProcRead, &nfs.ReadArgs{File: h, Count: 100}); err == nil && status == nfs.OK {
		t.Error("read")
	}
}

func TestAnArrayThatReadsNothingBeforeTheEndIsNotAskedForEver(t *testing.T) {
	r := newRig(t, lying(nfs.ProcRead, func(r nfs.Message) error {
		read := r.(*nfs.ReadResult)
		read.Count, read.Data, read.EOF = 0, nil, false
		return nil
	}))
	h := r.mem.Put("a", of('a', 100))
	if status, err := r.outcome(nfs.ProcRead, &nfs.ReadArgs{File: h, Count: 100}); err == nil && status == nfs.OK {
		t.Error("read")
	}
}

// An array that restarts again and again loses the beginning of a WRITE that it takes in pieces, each time.
func TestE1_AWriteThatTheArrayForgetsAgainAndAgainEnds(t *testing.T) {
	var verifier byte
	r := newRig(t, func(o *Options) { o.Files = nfstest.New(nfstest.Options{WriteMax: 1000}) }, lying(nfs.ProcWrite, func(r nfs.Message) error {
		verifier++
		r.(*nfs.WriteResult).Verifier = nfs.Verifier{verifier}
		return nil
	}))
	h := r.export.opts.Files.(*liar).FileSystem.(*nfstest.Mem).Put("a", nil)
	if _, err := r.outcome(nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: of('a', 5000)}); !errors.Is(err, nfs.ErrOutcomeUnknown) {
		t.Error(err)
	}
}

func TestAWriteThatIsAnsweredWithAnotherLengthIsNotBelieved(t *testing.T) {
	for name, count := range map[string]uint32{"nothing": 0, "more": 101} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, lying(nfs.ProcWrite, func(r nfs.Message) error {
				r.(*nfs.WriteResult).Count = count
				return nil
			}))
			h := r.mem.Put("a", of('a', 8192))
			r.expect(h, of('a', 8192))
			if status, err := r.outcome(nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: of('b', 100)}); err == nil && status == nfs.OK {
				t.Error("written")
			}
			r.expect(h, r.mem.Get("a"))
		})
	}
}

// withoutBefore has an export's array not say with a WRITE what the file was like before.
var withoutBefore = lying(nfs.ProcWrite, func(r nfs.Message) error {
	r.(*nfs.WriteResult).Wcc.Before.Follows = false
	return nil
})

// An array that doesn't say what the file was like before a WRITE leaves it open whether others have changed it.
func TestAChangeBehindOurBackIsNoticedWhereTheArrayDoesNotSayWhatWasBefore(t *testing.T) {
	r := newRig(t, withoutBefore)
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	nfstest.User{T: t, FS: r.mem}.Write(h, 4096, nfs.FileSync, of('b', 4096))
	r.root.Write(h, 0, nfs.FileSync, of('c', 10))
	r.expect(h, r.mem.Get("a"))
}

// It isn't open where nobody else writes.
func TestAWriteOfTheSoleWriterDropsNothingWhereTheArrayDoesNotSayWhatWasBefore(t *testing.T) {
	r := newRig(t, withoutBefore, func(o *Options) { o.SoleWriter = true })
	h := r.mem.Put("a", of('a', 40960))
	r.expect(h, r.mem.Get("a"))
	n := r.bytesAsked(func() {
		r.root.Write(h, 8192, nfs.FileSync, of('b', 4096))
		r.overlapping(h, 16384, of('c', 4096))
		r.expect(h, r.mem.Get("a"))
	})
	if n != 0 {
		t.Errorf("%d bytes are read again", n)
	}
}

// What the array says is held against the sole writer too.
func TestOthersBesideTheSoleWriterAreFoundOut(t *testing.T) {
	others := func(r *rig, h nfs.Handle) { nfstest.User{T: t, FS: r.mem}.Write(h, 4096, nfs.FileSync, of('b', 4096)) }
	sole := func(o *Options) { o.SoleWriter = true }
	t.Run("by a WRITE", func(t *testing.T) {
		r := newRig(t, sole)
		h := r.mem.Put("a", of('a', 10000))
		r.expect(h, r.mem.Get("a"))
		others(r, h)
		r.root.Write(h, 0, nfs.FileSync, of('c', 10))
		r.expect(h, r.mem.Get("a"))
	})
	t.Run("by a question", func(t *testing.T) {
		r := newRig(t, withoutBefore, sole, without)
		h := r.mem.Put("a", of('a', 10000))
		r.expect(h, r.mem.Get("a"))
		r.root.Write(h, 0, nfs.FileSync, of('c', 10))
		others(r, h)
		r.expect(h, r.mem.Get("a"))
	})
}

// A change that is refused without a word on the file is no reason to forget it.
func TestWhoMayNotChangeAFileTakesNothingFromTheCache(t *testing.T) {
	for _, p := range []nfs.Procedure{nfs.ProcSetAttr, nfs.ProcWrite} {
		t.Run(p.String(), func(t *testing.T) {
			r := newRig(t, lying(p, func(r nfs.Message) error {
				switch r := r.(type) {
				case *nfs.WccResult:
					r.Wcc = nfs.WccData{}
				case *nfs.WriteResult:
					r.Wcc = nfs.WccData{}
				}
				return nil
			}))
			h := r.mem.Put("a", of('a', 102400))
			r.expect(h, of('a', 102400))
			other := r.root.As(1000, 100)
			if s := other.Chmod(h, 0o777).Status; s != nfs.ErrPerm && p == nfs.ProcSetAttr {
				t.Error(s)
			}
			if s := other.Write(h, 0, nfs.Unstable, of('b', 10)).Status; s != nfs.ErrAcces {
				t.Error(s)
			}
			if n := r.bytesAsked(func() { r.expect(h, of('a', 102400)) }); n > 4097 { // whether it may be read, and what the WRITE touched
				t.Errorf("%d bytes are read again", n)
			}
		})
	}
}

// Odd requests are the array's to answer, and do no harm.
func TestOddRequestsEnd(t *testing.T) {
	r := newRig(t)
	h := r.mem.Put("a", of('a', 100))
	for _, off := range []uint64{0, 1 << 43, 1<<63 - 4097, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		for _, n := range []int{0, 1, 4096} {
			for _, h := range []nfs.Handle{h, r.mem.Root(), nfs.Handle("x")} {
				_, _ = r.outcome(nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: off, Count: uint32(n)})
				_, _ = r.outcome(nfs.ProcWrite, &nfs.WriteArgs{File: h, Offset: off, Data: of('b', n)})
				_, _ = r.outcome(nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(off)}})
				_, _ = r.outcome(nfs.ProcCommit, &nfs.CommitArgs{File: h, Offset: off, Count: uint32(n)})
			}
		}
	}
	r.idle()
}

// A file as long as a number can say.
func TestAFileOfAnySizeCanBeRead(t *testing.T) {
	r := newRig(t, func(o *Options) { o.ReadAhead = 0 }, lying(nfs.ProcGetAttr, func(r nfs.Message) error {
		r.(*nfs.GetAttrResult).Attr.Size = 1<<64 - 1
		return nil
	}))
	h := r.mem.Put("a", of('a', 100))
	for _, off := range []uint64{0, 1<<63 - 8192, 1<<63 - 1, 1 << 63, 1<<64 - 2} {
		_, _ = r.outcome(nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: off, Count: 4096})
	}
	r.idle()
}
