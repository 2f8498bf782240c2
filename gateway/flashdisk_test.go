package gateway

import (
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore/flash"
	"forebay/protocols/scsi"
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
	if err := u.Drop(t.Context()); err == nil || u.InvalidateNow(0, 1) {
		t.Fatalf("all is dropped before it is noted (%v)", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := u.Invalidate(t.Context(), 0, 1); err != nil || !u.InvalidateNow(0, 1) {
		t.Errorf("a write waits although it is noted (%v)", err)
	}
	if again := reopened(t, notes); len(again.mu.Volumes) != 0 {
		t.Errorf("the file still has %+v", again.mu.Volumes)
	}
}

// In a store a disk is known by its identifier and its array's.
func TestADisksKeyIsItsOwn(t *testing.T) {
	keys := map[flash.Key]bool{}
	for _, naa := range []byte{1, 2} {
		for _, identity := range []string{"uuid:1", "uuid:2"} {
			s := &disk{identity: scsi.Identity{NAA: [16]byte{naa}}, attachment: newAttachment("a", "mem", nil, newLines(t).logger())}
			s.attachment.mu.info.Identity = identity
			keys[s.flashKey()] = true
		}
	}
	if len(keys) != 4 {
		t.Errorf("%d keys", len(keys))
	}
}
