package iscsi

import (
	"errors"
	"fmt"
	"testing"

	"forebay/cachecore"
)

// until calls f until the array is no longer away.
func until(t *testing.T, a *Array, f func() error) {
	t.Helper()
	for {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, cachecore.ErrUnavailable) || t.Context().Err() != nil {
			t.Fatal(err)
		}
		a.mu.Lock()
		state := a.mu.state
		a.mu.Unlock()
		if state == closed {
			t.Fatal(err)
		}
	}
}

func TestD6_AnotherMediumIsNotServed(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	seen := events(&o)
	a := open(t, o)
	before := f.mu.name
	if got := a.Info().Identity; got != fmt.Sprintf("naa.%x", before) {
		t.Fatal(got)
	}
	f.set(func() { f.mu.name = before[:15] + "\x02" })
	f.attend(sense{6, 0x3f, 3})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, cachecore.ErrUnavailable) || !errors.Is(err, cachecore.ErrIdentity) {
		t.Fatal(err)
	}
	if e := receive(t, seen); e.Available {
		t.Fatalf("%+v", e)
	}
	f.set(func() { f.mu.name = before })
	if e := receive(t, seen); !e.Available {
		t.Fatalf("%+v", e)
	}
	expect(t, a, 0, make([]byte, 512))
}

func TestD6_TheFirstAttachmentIsHeldAgainstWhatIsExpected(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	o.Expected = "naa.5000"
	if a, err := Open(t.Context(), o); !errors.Is(err, cachecore.ErrIdentity) || a != nil {
		t.Fatal(err)
	}
	if f.count(opManage)+f.count(opWrite) != 0 {
		t.Fatal("a medium that is not ours was reset")
	}
}

func TestALUNThatHasGrownIsToldAndServed(t *testing.T) {
	f := newFake(t, cached, 1)
	o := f.options()
	seen := events(&o)
	a := open(t, o)
	f.mem.Grow(2 * diskSize)
	f.attend(sense{6, 0x2a, 9})
	expect(t, a, 0, make([]byte, 512))
	if e := receive(t, seen); !e.Available || !e.Resized || e.Unproven {
		t.Fatalf("%+v", e)
	}
	if a.Info().Size != 2*diskSize {
		t.Fatal(a.Info())
	}
	mustWrite(t, a, pattern(1, 512), 2*diskSize-512, cachecore.WriteOptions{})
}

func TestALUNThatHasShrunkIsNotServed(t *testing.T) {
	f := newFake(t, cached, 1)
	a := open(t, f.options())
	larger := a.Info()
	larger.Size *= 2
	a.info.Store(&larger)
	f.attend(sense{6, 0x2a, 9})
	if err := a.ReadAt(t.Context(), make([]byte, 512), 0); !errors.Is(err, errShrunk) || !errors.Is(err, cachecore.ErrUnavailable) {
		t.Fatal(err)
	}
}

// What was cached of the part that was taken away is gone, though the LUN is as large again; likewise after it was formatted.
func TestWhatIsCachedOfALUNThatWasAnotherMeanwhileIsUnproven(t *testing.T) {
	for name, c := range map[string]struct {
		before func(i *cachecore.ArrayInfo)
		want   error
	}{
		"smaller":      {func(i *cachecore.ArrayInfo) { i.Size *= 2 }, errShrunk},
		"other blocks": {func(i *cachecore.ArrayInfo) { i.LogicalBlock = 4096 }, errBlocks},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, cached, 1)
			o := f.options()
			seen := events(&o)
			a := open(t, o)
			now := a.Info()
			before := now
			c.before(&before)
			a.info.Store(&before)
			f.attend(sense{6, 0x2a, 9})
			if err := a.ReadAt(t.Context(), make([]byte, 4096), 0); !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			if e := receive(t, seen); e.Available || !e.Unproven {
				t.Fatalf("%+v", e)
			}
			a.info.Store(&now)
			if e := receive(t, seen); !e.Available || e.Unproven {
				t.Fatalf("told twice, or not back: %+v", e)
			}
			expect(t, a, 0, make([]byte, 4096))
		})
	}
}

func TestABlockSizeThatDoesNotFitIsRefused(t *testing.T) {
	s := newSAN(t, cachecore.ArrayInfo{Size: diskSize, LogicalBlock: 4096})
	if _, err := Open(t.Context(), options(t, s.portal)); !errors.Is(err, errBlocks) {
		t.Fatal(err)
	}
}
