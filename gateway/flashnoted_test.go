package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
	"forebay/configs"
)

// notedTier is a flash tier that has no device yet, with notes that have a store of it.
func notedTier(t *testing.T, id flash.ID) *poolFlash {
	t.Helper()
	notes, err := openFlashNotes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := notes.setStore("fast", id); err != nil {
		t.Fatal(err)
	}
	return &poolFlash{pool: "fast", notes: notes, log: newLines(t).logger(), closed: make(chan struct{})}
}

// A store that is not the one of the notes may be half gone once another one is being made: it is taken out of them before.
func TestAStoreIsOutOfTheNotesBeforeItIsOverwritten(t *testing.T) {
	twin := devicetest.New(8 * mib)
	f := notedTier(t, flash.ID{7})
	twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if id, _ := f.notes.store("fast"); c.Kind != devicetest.Read && id == (flash.ID{7}) {
			t.Error("it is in them while the device is written to")
		}
		return devicetest.Fault{}
	})
	if err := f.use(twin); err != nil {
		t.Fatal(err)
	}
	twin.OnCall(nil)
	if id, known := f.notes.store("fast"); !known || id != f.current().ID() {
		t.Errorf("the notes have %x", id)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
}

// A store that could not be noted is not used, and one that could not be taken out of the notes is not overwritten.
func TestAStoreThatCannotBeNotedIsNotUsed(t *testing.T) {
	for name, id := range map[string]flash.ID{"none before": {}, "another one before": {7}} {
		f := notedTier(t, id)
		f.notes.path = filepath.Join(t.TempDir(), "away", "flash.json")
		if err := f.use(devicetest.New(8 * mib)); !errors.Is(err, os.ErrNotExist) || f.current() != nil {
			t.Errorf("%s: it is used: %v", name, err)
		}
	}
}

// A device that can't be opened is forgotten before the pool goes on without it, or the pool doesn't.
func TestATierThatIsDoneWithoutIsForgotten(t *testing.T) {
	f := notedTier(t, flash.ID{7})
	tier := configs.Tier{Pool: "fast", Flash: &configs.Media{Path: "flash.img"}}
	away := filepath.Join(t.TempDir(), "away", "flash.json")
	there := f.notes.path
	f.notes.path = away
	if _, err := newFlash(tier, nil, errBoom, f.notes, f.log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("with notes that can't be written: %v", err)
	}
	f.notes.path = there
	without, err := newFlash(tier, nil, errBoom, f.notes, f.log)
	if err != nil || without.current() != nil || without.status().Reason != errBoom.Error() {
		t.Errorf("%+v, %v", without.status(), err)
	}
	for _, notes := range []*flashNotes{f.notes, reopened(t, f.notes)} {
		if id, known := notes.store("fast"); known {
			t.Errorf("the notes still have %x", id)
		}
	}
}

// reopened is what a next life reads.
func reopened(t *testing.T, n *flashNotes) *flashNotes {
	t.Helper()
	again, err := openFlashNotes(filepath.Dir(n.path))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// The store that is opened is the one of the notes: another one in its place is made anew.
func TestAnotherStoreInItsPlaceIsMadeAnew(t *testing.T) {
	twin := devicetest.New(8 * mib)
	f := notedTier(t, flash.ID{})
	if err := f.use(twin); err != nil {
		t.Fatal(err)
	}
	first := f.current().ID()
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	f = notedTier(t, flash.ID{7})
	if err := f.use(twin); err != nil {
		t.Fatal(err)
	}
	if f.current().ID() == first {
		t.Error("it is opened")
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
}

// What could not be written down has not been noted: asked for again, it is written down then.
func TestANoteThatFailedIsMadeAgain(t *testing.T) {
	notes, err := openFlashNotes(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(notes.setStore("fast", flash.ID{7}), notes.setLog("fast", flashLog{Path: "p", From: 1, Bytes: 2})); err != nil {
		t.Fatal(err)
	}
	there := notes.path
	notes.path = filepath.Join(t.TempDir(), "away", "flash.json")
	change := func() error {
		return errors.Join(notes.setStore("fast", flash.ID{}), notes.setLog("fast", flashLog{}))
	}
	if err := change(); err == nil {
		t.Fatal("it has been noted")
	}
	if _, known := notes.store("fast"); !known || notes.log("fast", "p") == (flashLog{}) {
		t.Error("it is believed all the same")
	}
	notes.path = there
	if err := change(); err != nil {
		t.Fatal(err)
	}
	again := reopened(t, notes)
	if _, known := again.store("fast"); known || again.log("fast", "p") != (flashLog{}) {
		t.Error("it is not in the file")
	}
}

// Notes that can't be read are not taken for ones that say nothing.
func TestNotesThatCannotBeReadAreAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "flash.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openFlashNotes(dir); err == nil {
		t.Error("they are")
	}
}
