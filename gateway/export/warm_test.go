package export

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/flash"
	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

const fileBlocks = 40

func TestAFileIsWarmAfterARestart(t *testing.T) {
	for name, restart := range map[string]func(*lives){
		"a clean one":  (*lives).restart,
		"after a kill": func(l *lives) { l.prove(1); l.kill() },
		"two of them":  func(l *lives) { l.restart(); l.restart() },
		"a clean one, and a kill of who has not read it": func(l *lives) { l.restart(); l.kill() },
		"when others had changed it before": func(l *lives) {
			l.prove(1)
			l.mem.Put("a", blocks('a', fileBlocks))
			time.Sleep(2 * time.Hour)
			l.cache(l.mem.Find("a"))
			l.restart()
		},
		"when it was moved": func(l *lives) {
			l.prove(1)
			l.root.Rename(l.mem.Root(), "a", l.mem.Root(), "b")
			l.restart()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLives(t, func(l *lives) {
				want := blocks('a', fileBlocks)
				h := l.mem.Put("a", want)
				l.cache(h)
				restart(l)
				if !l.isWarm(h, want) {
					t.Error("it is cold")
				}
				l.kill() // the witness goes on being one
				if !l.isWarm(h, want) {
					t.Error("it is cold another time")
				}
			})
		})
	}
}

func TestAFileIsColdAfterARestartIf(t *testing.T) {
	changed := blocks('b', fileBlocks)
	for name, between := range map[string]func(*lives, nfs.Handle) []byte{
		"others have changed it meanwhile": func(l *lives, _ nfs.Handle) []byte {
			l.prove(1)
			l.after(l.left(), func() { l.mem.Put("a", changed) })
			return changed
		},
		"others have changed it before": func(l *lives, h nfs.Handle) []byte {
			l.prove(1)
			l.mem.Put("a", changed)
			time.Sleep(2 * time.Hour)
			l.expect(h, changed)
			l.kill()
			return changed
		},
		"it was written to, and nobody knew yet whether that lasts": func(l *lives, h nfs.Handle) []byte {
			l.prove(1)
			l.root.Write(h, 0, nfs.Unstable, changed)
			l.expect(h, changed)
			l.kill()
			return changed
		},
		"it was changed in another life": func(l *lives, h nfs.Handle) []byte {
			l.restart()
			l.root.Write(h, 0, nfs.FileSync, changed)
			l.kill()
			return changed
		},
		"there was a kill before there was a witness": func(l *lives, _ nfs.Handle) []byte {
			l.kill()
			return blocks('a', fileBlocks)
		},
		"it is another filer's": func(l *lives, _ nfs.Handle) []byte {
			l.change = func(o *Options) { o.Filer = func() string { return "another" } }
			l.restart()
			return blocks('a', fileBlocks)
		},
		"it is another volume's": func(l *lives, _ nfs.Handle) []byte {
			l.change = func(o *Options) { o.Witnesses = l.witnesses.Of("vol2") }
			l.restart()
			return blocks('a', fileBlocks)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLives(t, func(l *lives) {
				h := l.mem.Put("a", blocks('a', fileBlocks))
				l.cache(h)
				if want := between(l, h); l.isWarm(h, want) {
					t.Error("it is warm")
				}
				l.change = func(*Options) {}
			})
		})
	}
}

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

func TestAFileThatComesBackIsWarm(t *testing.T) {
	inLives(t, func(l *lives) {
		l.change = func(o *Options) { o.Nodes = 16 }
		l.restart()
		want := blocks('a', fileBlocks)
		h := l.mem.Put("a", want)
		l.cache(h)
		l.prove(1)
		for i := range 200 {
			l.root.GetAttr(l.mem.Put(fmt.Sprint("other", i), nil))
		}
		if l.export.table.find(h) != nil {
			t.Fatal("it has not been put away")
		}
		if !l.isWarm(h, want) {
			t.Error("it is cold")
		}
		l.root.Write(h, 0, nfs.Unstable, []byte("b"))
		if n := l.witnesses.Count(); n != 0 {
			t.Errorf("%d witnesses after a write", n)
		}
	})
}

// What is forgotten as asked for is forgotten for good, be the file known or not.
func TestWhatIsForgottenIsNotWarm(t *testing.T) {
	for name, before := range map[string]func(*lives, nfs.Handle){
		"that is known":      func(l *lives, _ nfs.Handle) { l.prove(2) },
		"of an earlier life": func(l *lives, _ nfs.Handle) { l.restart() },
		"that is read":       func(l *lives, h nfs.Handle) { l.restart(); l.read(h) },
	} {
		t.Run(name, func(t *testing.T) {
			inLives(t, func(l *lives) {
				l.files = &timeless{FileSystem: l.net}
				l.restart()
				h, want := l.mem.Put("a", blocks('a', fileBlocks)), blocks('b', fileBlocks)
				l.cache(h)
				l.cache(l.mem.Put("b", want))
				before(l, h)
				l.mem.Put("a", want)
				if err := l.export.Forget(context.Background()); err != nil {
					t.Fatal(err)
				}
				l.expect(h, want)
				l.kill()
				l.expect(h, want)
			})
		})
	}
}

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

// What is cached of a file is gone when it is dropped, and not found again by anybody when it is closed.
func TestWhatFlashHasIsDroppedWithItsKey(t *testing.T) {
	inLives(t, func(l *lives) {
		h := l.mem.Put("a", blocks('a', fileBlocks))
		l.cache(h)
		n := l.export.table.find(h)
		has := func() bool {
			f := n.mu.kept.Contains(8, 1)
			return f.Has(0)
		}
		if !has() {
			t.Fatal("it is not there")
		}
		l.root.Write(h, 8*4096, nfs.FileSync, []byte("b"))
		if has() {
			t.Error("found after a write")
		}
		l.cold(h)
		l.read(h)
		l.cold(h)
		if l.read(h); !has() {
			t.Fatal("it has not been taken again")
		}
		n.mu.volume.Drop()
		if has() {
			t.Error("found after a drop")
		}
	})
}

// keys of a node that is at its end are not used for another one of the same file.
func TestAKeyIsUsedByOneNodeAtATime(t *testing.T) {
	inLives(t, func(l *lives) {
		want := blocks('a', fileBlocks)
		h := l.mem.Put("a", want)
		l.cache(h)
		l.prove(1)
		n := l.export.table.find(h)
		s := l.export.table.of(h)
		s.mu.Lock()
		delete(s.nodes, string(h)) // it has been put away, and not ended yet
		s.mu.Unlock()
		if l.isWarm(h, want) {
			t.Error("two nodes have one key")
		}
		l.export.retire(n)
	})
}
