package export

import (
	"context"
	"fmt"
	"testing"
	"time"

	"forebay/protocols/nfs"
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
