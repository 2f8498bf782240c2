package gateway

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/configs"
)

// What flash had before a restart is served after it if nothing was otherwise in between, and else is not.
func TestARestartFindsWhatFlashHasIfNothingWasOtherwise(t *testing.T) {
	tier := func(change func(*configs.Tier)) func(*lives) {
		return func(l *lives) {
			was := *l.tier.Flash
			change(&l.tier)
			l.begin()
			l.end()
			l.tier.Flash = &was
		}
	}
	for name, c := range map[string]struct {
		between func(*lives)
		warm    bool
	}{
		"nothing":                 {func(*lives) {}, true},
		"another life":            {tier(func(*configs.Tier) {}), true},
		"a life without flash":    {tier(func(t *configs.Tier) { t.Flash = nil }), false},
		"a life with other flash": {tier(func(t *configs.Tier) { t.Flash = &configs.Media{Path: t.Flash.Path + "2", Size: 64 * mib} }), false},
		"another array":           {func(l *lives) { l.san.set(func(s *san) { s.identity = "uuid:2" }) }, false},
		"another volume":          {func(l *lives) { l.id.NAA[0]++ }, false},
		"a life of other volumes": {func(l *lives) {
			l.start()
			if err := l.pool.close(context.Background()); err != nil {
				l.t.Fatal(err)
			}
		}, false},
		"the notes are gone":       {func(l *lives) { os.Remove(filepath.Join(l.dir, "flash.json")) }, false},
		"the notes make no sense":  {func(l *lives) { os.WriteFile(filepath.Join(l.dir, "flash.json"), []byte("{"), 0o600) }, false},
		"the device was made anew": {func(l *lives) { os.Remove(l.tier.Flash.Path) }, false},
		"a start that finds no way": {tier(func(t *configs.Tier) {
			t.Flash = &configs.Media{Path: filepath.Join(t.Flash.Path, "x"), Size: 64 * mib}
		}), false},
		"a life that could not attach": {func(l *lives) {
			l.begin()
			if err := (&unkept{notes: l.notes, volume: "vol1"}).forget(); err != nil {
				l.t.Fatal(err)
			}
			l.end()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			l.begin()
			l.cache(3)
			l.end()
			c.between(l)
			l.begin()
			defer l.end()
			if got := l.warm(3); got != c.warm {
				t.Errorf("warm: %v", got)
			}
		})
	}
}

// A volume that is served with anything else than last time begins anew, and one that nothing can be told of does each time.
func TestTheNotesTellWhetherAVolumeIsServedAsBefore(t *testing.T) {
	dir := t.TempDir()
	notes, err := openFlashNotes(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		volume, with string
		since        cachecore.Epoch
	}{{"a", "x", 1}, {"a", "x", 1}, {"b", "x", 2}, {"a", "y", 3}, {"a", "x", 4}, {"a", "", 5}, {"a", "", 6}, {"a", "x", 7}, {"b", "x", 2}} {
		if notes, err = openFlashNotes(dir); err != nil { // durable, each
			t.Fatal(err)
		}
		if since, err := notes.since(c.volume, c.with); err != nil || since != c.since {
			t.Errorf("%d: since %d, not %d (%v)", i, since, c.since, err)
		}
	}
	if err := notes.forget("b"); err != nil {
		t.Fatal(err)
	}
	if since, err := notes.since("b", "x"); err != nil || since != 8 {
		t.Errorf("a volume that was forgotten: since %d (%v)", since, err)
	}
	notes.path = filepath.Join(dir, "away", "flash.json")
	if _, err := notes.since("c", "x"); err == nil || notes.forget("a") == nil {
		t.Error("what could not be noted counts")
	}
}
