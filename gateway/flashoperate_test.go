package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	drive "forebay/cachecore/device"
	"forebay/gateway/api"
)

// A tier that is taken out goes though who asked for it has gone, and nothing of it is found again.
func TestAFlashTierIsRemovedThoughWhoAskedHasGone(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.pool.flash.remove(ctx); err != nil {
		t.Fatal(err)
	}
	if _, known := reopened(t, l.notes).store("fast"); known {
		t.Error("the notes still have its store")
	}
	if again, err := drive.Open(drive.Options{Path: l.tier.Flash.Path}); err != nil { // it is nobody's
		t.Error(err)
	} else {
		again.Close()
	}
	if err := l.pool.flash.resize(t.Context(), 32*mib); !errors.Is(err, api.ErrRefused) {
		t.Errorf("resized after it was removed: %v", err)
	}
}

// A tier that was resized may be written to as one that begins with that size, and what can't be is refused and changes nothing.
func TestAFlashTierThatWasResizedHasTheBudgetOfItsSize(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	for _, size := range []int64{96 * mib, 32 * mib} {
		if err := l.pool.flash.resize(t.Context(), size); err != nil {
			t.Fatal(err)
		}
		if err := l.pool.flash.resize(t.Context(), 0); !errors.Is(err, api.ErrRefused) {
			t.Errorf("of nothing: %v", err)
		}
		if s := l.pool.flash.status(); s.WriteBudget != size || s.Bytes > size || s.Bytes < size*3/4 {
			t.Errorf("of %d: %+v", size, s)
		}
	}
}

// A size that there is no room for is the operator's mistake, and any other failure is not.
func TestAFlashTierIsNotMadeLargerThanThereIsRoomFor(t *testing.T) {
	for failure, refused := range map[error]bool{drive.ErrNoRoom: true, drive.ErrBroken: false} {
		medium := full{err: fmt.Errorf("grow: %w", failure)}
		if err := grow(medium, 96*mib); !errors.Is(err, failure) || errors.Is(err, api.ErrRefused) != refused {
			t.Error(err)
		}
	}
}

// full is a medium that can't grow.
type full struct {
	drive.Device
	err error
}

func (m full) Grow(int64) error { return m.err }

// A tier whose removal can't be noted stays, and can be removed later.
func TestAFlashTierStaysWhoseRemovalCannotBeNoted(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	l.cache(0)
	there := l.notes.path
	l.notes.path = filepath.Join(l.dir, "away", "flash.json")
	if err := l.pool.flash.remove(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is removed: %v", err)
	}
	l.notes.path = there
	if s := l.pool.flash.status(); s.State == flashRemoved || !l.warm(0) {
		t.Errorf("%+v", s)
	}
	if err := l.pool.flash.remove(t.Context()); err != nil {
		t.Error(err)
	}
	if s := l.pool.flash.status(); s.State != flashRemoved {
		t.Errorf("%+v", s)
	}
}

// The tiers and volumes that an operation names have to be there, with what it is about.
func TestOperationsAreRefusedWhereThereIsNothingToOperate(t *testing.T) {
	g := still(t)
	for what, c := range map[string]struct {
		do   func(volume string) error
		want error
	}{
		"policy":  {func(v string) error { return g.SetWrite(t.Context(), v, "through") }, api.ErrRefused},
		"drain":   {func(v string) error { return g.Drain(t.Context(), v) }, api.ErrRefused},
		"pause":   {func(v string) error { return g.PauseWriteback(t.Context(), v, 1) }, api.ErrRefused},
		"barrier": {func(v string) error { return g.Barrier(t.Context(), v, 1) }, api.ErrRefused},
		"recover": {func(v string) error { return g.DeclareLost(t.Context(), v) }, api.ErrRefused},
	} {
		says(t, c.do("vol1"), "no write log")
		if err := c.do("vol1"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if err := c.do("vol9"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%s of none: %v", what, err)
		}
	}
	if s := g.flashStatus("fast"); s != nil {
		t.Errorf("%+v", s)
	}
}

// An export's cache is dropped by its name.
func TestTheCacheOfAnExportIsDropped(t *testing.T) {
	l := newLives(t)
	g := l.shared()
	if err := g.DropCache(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	l.log.expect(1, "the cache is emptied", `"volume":"one"`)
	if err := g.DropCache(t.Context(), "two"); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	l.over(g)
}
