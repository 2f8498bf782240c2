package export

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// A change by others within the grain of the filer's times of one that was seen doesn't show.
func TestWhatWasReadWithinAGrainOfAChangeIsNotWarm(t *testing.T) {
	inLives(t, func(l *lives) {
		clock := &timeless{FileSystem: l.net}
		l.files = clock
		l.restart()
		for version := byte('a'); version < 'e'; version += 2 {
			h := l.mem.Put("a", blocks(version, fileBlocks))
			clock.now.Add(1)
			time.Sleep(2 * time.Hour)
			for range 5 { // flash would have it
				l.read(h)
				l.cold(h)
			}
			l.read(h)
			want := blocks(version+1, fileBlocks)
			l.mem.Put("a", want)
			time.Sleep(quiet + 2*roundEvery)
			l.restart()
			l.expect(h, want)
			l.cache(h)
			l.restart()
			if !l.isWarm(h, want) {
				t.Error("nothing is ever warm")
			}
		}
	})
}

// Nor is what was on its way then.
func TestWhatWasAskedForWithinAGrainOfAChangeIsNotWarm(t *testing.T) {
	inLives(t, func(l *lives) {
		l.files = &timeless{FileSystem: l.net}
		l.restart()
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.read(h)
		l.cold(h)
		held := l.mem.Hold(nfstest.After, func(p nfs.Procedure, a nfs.Message) bool {
			r, ok := a.(*nfs.ReadArgs)
			return ok && r.Count > 1
		})
		read := make(chan struct{})
		go func() { l.read(h); close(read) }()
		<-held.Caught
		want := blocks('b', fileBlocks)
		l.mem.Put("a", want)
		time.Sleep(grain + 2*roundEvery)
		n := l.export.table.find(h)
		for range 4 { // it is known to be wanted
			b := n.mu.kept.Prepare(0, 8)
			b.Abandon()
		}
		held.Release()
		<-read
		l.cold(h)
		l.expect(h, want)
		l.restart()
		l.expect(h, want)
	})
}

// At a clean end others may change a file at once, too.
func TestTheEndComesAGrainAfterTheLastChange(t *testing.T) {
	inLives(t, func(l *lives) {
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		l.root.Write(h, 0, nfs.FileSync, []byte("b"))
		changed := time.Now()
		l.restart()
		if took := time.Since(changed); took < grain || took > lastPatience {
			t.Errorf("it took %v", took)
		}
	})
}

// timeless is a filer whose clock stands still, unless it is moved.
type timeless struct {
	nfs.FileSystem
	now atomic.Uint32
}

func (c *timeless) Do(ctx context.Context, caller *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	err := c.FileSystem.Do(ctx, caller, p, a, r)
	switch r := r.(type) {
	case *nfs.GetAttrResult:
		c.still(&r.Attr)
	case *nfs.ReadResult:
		c.still(&r.Attr.Value)
	case *nfs.CommitResult:
		r.Wcc = nfs.WccData{}
	case *nfs.WriteResult:
		c.still(&r.Wcc.After.Value)
		r.Wcc.Before.Value.Mtime, r.Wcc.Before.Value.Ctime = r.Wcc.After.Value.Mtime, r.Wcc.After.Value.Ctime
	}
	return err
}

func (c *timeless) still(a *nfs.Attr) {
	a.Mtime = nfs.Time{Seconds: c.now.Load()}
	a.Ctime = a.Mtime
}
