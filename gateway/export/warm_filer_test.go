package export

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Content that comes without attributes may be anything's.
func TestAFilerThatTellsNoAttributesHasNoWitnesses(t *testing.T) {
	inLives(t, func(l *lives) {
		l.files = &silent{FileSystem: l.net}
		l.restart()
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		l.prove(0)
	})
}

// silent is a filer that shows no attributes beside content.
type silent struct{ nfs.FileSystem }

func (s *silent) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := s.FileSystem.Do(ctx, c, p, a, r)
	if r, ok := r.(*nfs.ReadResult); ok {
		r.Attr = nfs.PostOpAttr{}
	}
	return err
}

// Content that doesn't go with the attributes that are known voids the witness: here others write while a name is changed.
func TestContentThatIsNotConfirmedVoidsTheWitness(t *testing.T) {
	inLives(t, func(l *lives) {
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		l.prove(1)
		l.root.Lookup(l.mem.Root(), "a")
		held := l.mem.Hold(nfstest.Before, func(p nfs.Procedure, _ nfs.Message) bool { return p == nfs.ProcRename })
		done := make(chan struct{})
		go func() { l.root.Rename(l.mem.Root(), "a", l.mem.Root(), "b"); close(done) }()
		<-held.Caught
		nfstest.User{T: t, FS: l.mem}.Write(h, fileBlocks*4096-1, nfs.Unstable, []byte("b"))
		n := l.export.table.find(h)
		if err := (&file{l.export, n}).ReadAt(context.Background(), make([]byte, 4096), (fileBlocks-1)*4096); err != nil {
			t.Error(err)
		}
		if n := l.witnesses.Count(); n != 0 {
			t.Errorf("%d witnesses", n)
		}
		held.Release()
		<-done
	})
}

// A filer that won't make a file durable is not asked again until the file is another.
func TestAFilerThatRefusesToCommitHasNoWitnesses(t *testing.T) {
	inLives(t, func(l *lives) {
		readOnly := &refuser{FileSystem: l.net, but: l.mem.Put("b", blocks('b', 1))}
		l.files = readOnly
		l.restart()
		l.cache(readOnly.but)
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		time.Sleep(quiet + 2*roundEvery)
		asked := readOnly.asked.Load()
		l.prove(1)
		if now := readOnly.asked.Load(); now > asked || asked > 4 {
			t.Errorf("it was asked %d times, then %d", asked, now)
		}
	})
}

// What was read before the filer could be asked for its write verifier may be lost without a trace.
func TestWhatWasReadBeforeTheVerifierWasKnownHasNoWitness(t *testing.T) {
	inLives(t, func(l *lives) {
		readOnly := &refuser{FileSystem: &timeless{FileSystem: l.net}}
		l.files = readOnly
		l.restart()
		want := blocks('a', fileBlocks)
		h := l.mem.Put("a", want)
		nfstest.User{T: t, FS: l.mem}.Write(h, 0, nfs.Unstable, []byte("lost"))
		l.cache(h)
		l.mem.Restart()
		readOnly.willing.Store(true)
		l.root.Write(h, uint64(len(want)), nfs.FileSync, []byte("more")) // now it could be asked for
		l.prove(0)
		l.restart()
		l.expect(h, l.mem.Get("a"))
	})
}

// refuser is a filer that refuses to commit.
type refuser struct {
	nfs.FileSystem
	but     nfs.Handle // the one file that it commits
	willing atomic.Bool
	asked   atomic.Int64
}

func (s *refuser) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if p == nfs.ProcCommit && !s.willing.Load() && string(a.(*nfs.CommitArgs).File) != string(s.but) {
		s.asked.Add(1)
		*nfs.StatusOf(r) = nfs.ErrROFS
		return nil
	}
	return s.FileSystem.Do(ctx, c, p, a, r)
}

// Where files are shown otherwise than the filer has them, what the filer has counts.
func TestAWitnessSaysWhatTheFilerShows(t *testing.T) {
	inLives(t, func(l *lives) {
		shown := &overlay{FileSystem: l.net}
		shown.lag.Store(5)
		l.files = shown
		l.restart()
		want := blocks('a', fileBlocks)
		h := l.mem.Put("a", want)
		shown.lacks.Store(true)
		l.cache(h)
		l.prove(0)
		shown.lacks.Store(false)
		l.prove(1)
		shown.lag.Store(0)
		l.kill()
		if !l.isWarm(h, want) {
			t.Error("it is cold")
		}
	})
}

// overlay is a settler that shows files later than they are.
type overlay struct {
	nfs.FileSystem
	lag   atomic.Uint32
	lacks atomic.Bool
}

func (o *overlay) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := o.FileSystem.Do(ctx, c, p, a, r)
	switch r := r.(type) {
	case *nfs.GetAttrResult:
		r.Attr.Ctime.Seconds += o.lag.Load()
	case *nfs.ReadResult:
		r.Attr.Value.Ctime.Seconds += o.lag.Load()
	}
	return err
}

func (o *overlay) Settled(ctx context.Context, c *nfs.Caller, h nfs.Handle) (*nfs.Attr, nfs.Verifier, error) {
	var r nfs.CommitResult
	if err := o.FileSystem.Do(ctx, c, nfs.ProcCommit, &nfs.CommitArgs{File: h}, &r); err != nil || o.lacks.Load() {
		return nil, r.Verifier, err
	}
	return &r.Wcc.After.Value, r.Verifier, nil
}
