package gateway

import (
	"os"
	"path/filepath"
	"testing"
)

// A volume that is served without the flash tier waits for the notes with its first write, if it has to, and with no other.
func TestNoWriteWaitsForNotesThatHaveForgottenTheVolume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	notes, err := openFlashNotes(dir)
	if err != nil {
		t.Fatal(err)
	}
	u := &unkept{notes: notes, volume: "a"}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := notes.since("a", "x"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := u.Invalidate(t.Context(), 0, 1); err == nil || u.InvalidateNow(0, 1) {
		t.Fatalf("a write goes before it is noted (%v)", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := u.Invalidate(t.Context(), 0, 1); err != nil || !u.InvalidateNow(0, 1) {
		t.Errorf("a write waits although it is noted (%v)", err)
	}
}
