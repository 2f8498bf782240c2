package export

import (
	"testing"

	"forebay/protocols/nfs"
)

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
