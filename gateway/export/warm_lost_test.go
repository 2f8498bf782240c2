package export

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/flash"
	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// The gateway and the filer lose power. What the gateway had sent and read back is lost, and the file looks as before.
func TestAWriteThatAPowerCutTakesBackIsNotReadFromFlash(t *testing.T) {
	for name, change := range map[string]func(*lives, nfs.Handle){
		"a WRITE": func(l *lives, h nfs.Handle) { l.root.Write(h, 8*4096, nfs.Unstable, of('b', 4*4096)) },
		"a WRITE that was begun in another life": func(l *lives, h nfs.Handle) {
			l.restart()
			l.expect(h, blocks('a', fileBlocks))
			l.root.Write(h, 8*4096, nfs.Unstable, of('b', 4*4096))
		},
		"others' WRITE": func(l *lives, h nfs.Handle) {
			nfstest.User{T: l.T, FS: l.mem}.Write(h, 8*4096, nfs.Unstable, of('b', 4*4096))
			held := l.mem.Hold(nfstest.Before, func(_ nfs.Procedure, a nfs.Message) bool {
				c, ok := a.(*nfs.CommitArgs)
				return ok && string(c.File) == string(h)
			})
			l.Cleanup(held.Release)
			time.Sleep(time.Hour)
			l.read(h)
			time.Sleep(grain + roundEvery)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLives(t, func(l *lives) {
				l.change = func(o *Options) { o.AttributeCache = time.Minute }
				want := blocks('a', fileBlocks)
				h, other := l.mem.Put("a", want), l.mem.Put("other", blocks('o', 2*fileBlocks))
				before := l.root.GetAttr(h).Attr
				l.read(other)
				l.cache(h)
				l.prove(1)
				change(l, h)
				for range 3 {
					l.cold(h)
					l.read(h)
				}
				if l.cold(h); !l.isWarm(h, l.mem.Get("a")) {
					t.Fatal("what was written is not in flash")
				}
				l.cache(other) // so that it is on the device
				synctest.Wait()
				l.after(l.left(), l.mem.Restart)
				if now := l.root.GetAttr(h).Attr; now != before {
					t.Fatalf("it doesn't look as before: %+v, not %+v", now, before)
				}
				l.expect(h, want)
			})
		})
	}
}

// Before a change is sent, a start finds no witness any more.
func TestAWitnessIsVoidedBeforeTheFileIsChanged(t *testing.T) {
	for name, c := range map[nfs.Procedure]func(*lives, nfs.Handle){
		nfs.ProcWrite:   func(l *lives, h nfs.Handle) { l.root.Write(h, 0, nfs.Unstable, []byte("b")) },
		nfs.ProcSetAttr: func(l *lives, h nfs.Handle) { l.root.Truncate(h, 3) },
	} {
		t.Run(name.String(), func(t *testing.T) {
			inLives(t, func(l *lives) {
				h := l.mem.Put("a", blocks('a', fileBlocks))
				l.cache(h)
				l.prove(1)
				l.root.Write(h, 0, nfs.FileSync, []byte("a")) // and there is another one
				l.prove(1)
				var there left
				held := l.mem.Hold(nfstest.Before, func(p nfs.Procedure, _ nfs.Message) bool { return p == name })
				done := make(chan struct{})
				go func() { c(l, h); close(done) }()
				<-held.Caught
				there = l.left()
				held.Release()
				<-done
				l.after(there, func() {})
				if n := l.witnesses.Count(); n != 0 {
					t.Errorf("%d witnesses", n)
				}
			})
		})
	}
}

// Where a witness can't be voided, nor what it is about be condemned, the file is not changed.
func TestAFileWhoseWitnessStaysIsNotChanged(t *testing.T) {
	inLives(t, func(l *lives) {
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		l.prove(1)
		if err := l.witnesses.Close(); err != nil {
			t.Fatal(err)
		}
		for _, refuses := range []error{errors.New("full"), nil} {
			l.refuses = refuses
			asWanted := func(err error) bool {
				return refuses == nil && err == nil || refuses != nil && errors.Is(err, nfs.ErrIO)
			}
			before := l.mem.Calls(nfs.ProcWrite)
			err := l.export.Do(context.Background(), &nfs.Caller{}, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(uint64(9))}},
				new(nfs.WccResult))
			if !asWanted(err) {
				t.Errorf("SETATTR: %v", err)
			}
			err = l.export.Do(context.Background(), &nfs.Caller{}, nfs.ProcWrite, &nfs.WriteArgs{File: h, Data: []byte("b")}, new(nfs.WriteResult))
			if !asWanted(err) || (l.mem.Calls(nfs.ProcWrite) == before) != (refuses != nil) {
				t.Errorf("WRITE: %v", err)
			}
		}
		again, err := witnesses.Open(l.path, witnesses.Options{Keep: func(witnesses.Hash, flash.ID) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		l.witnesses = again // for the end
	})
}

// A filer that has restarted may have lost what others had written and we have read, and shows it as before.
func TestWhatTheFilerHasLostIsNotWarm(t *testing.T) {
	inLives(t, func(l *lives) {
		l.files = &timeless{FileSystem: l.net}
		l.restart()
		l.cache(l.mem.Put("a", blocks('a', fileBlocks))) // so that the write verifier is known
		want := blocks('b', fileBlocks)
		h := l.mem.Put("b", want)
		nfstest.User{T: t, FS: l.mem}.Write(h, 0, nfs.Unstable, []byte("lost"))
		held := l.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
			c, ok := a.(*nfs.CommitArgs)
			return ok && string(c.File) == string(h)
		})
		l.cache(h)
		<-held.Caught
		l.mem.Restart()
		held.Release()
		time.Sleep(quiet + 2*roundEvery)
		l.kill()
		l.expect(h, want)
	})
}
