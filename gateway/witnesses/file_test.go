package witnesses

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"forebay/cachecore/flash"
)

func TestWhatIsNotedIsThereInTheNextLife(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 1, 2, 3)
	b.Of("b").Put(handle(1), witness(7))
	if b.Count() != 0 {
		t.Errorf("%d are there after a kill", b.Count())
	}
	must(t, b.Flush(t.Context()))
	for range 2 {
		b = opened(t, m)
		if w, ok := b.Of("b").Find(handle(1)); !ok || w != witness(7) {
			t.Errorf("another volume's: %v %+v", ok, w)
		}
		if b.Count() != 4 {
			t.Errorf("%d", b.Count())
		}
	}
	again := witness(2)
	again.Attr.Size = 77
	b.Of("a").Put(handle(2), again)
	must(t, b.Close())
	if w, ok := opened(t, m).Of("a").Find(handle(2)); !ok || w != again {
		t.Errorf("in place of another: %v %+v", ok, w)
	}
}

// A witness that was voided is there after no end; others are, or aren't.
func TestAVoidIsDurableWhenItReturns(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 1, 2, 3)
	must(t, b.Flush(t.Context()))
	must(t, m.sync())
	must(t, b.Of("a").Void(t.Context(), handle(2)))
	b.put(t, 4)
	must(t, b.Flush(t.Context()))
	b.has(t, "at once", 1, 3, 4)
	for _, arrived := range []int{0, 1, 100, 1 << 20} {
		left := opened(t, m.cut(func(at int) bool { return at%2 < arrived && at < arrived*10 }))
		if _, ok := left.Of("a").Find(handle(2)); ok {
			t.Error("it is there")
		}
		if _, ok := left.Of("a").Find(handle(1)); !ok {
			t.Error("another one is gone")
		}
	}
	syncs := m.syncs
	must(t, b.Of("a").Void(t.Context(), handle(2)))
	must(t, b.Of("b").Void(t.Context(), handle(1)))
	if m.syncs != syncs {
		t.Error("where there is none the medium is asked")
	}
}

// Those that come while others are being voided wait for a batch together.
func TestVoidsShareASync(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 1, 2, 3, 4, 5)
	must(t, b.Flush(t.Context()))
	syncs := m.syncs
	m.syncing = make(chan struct{})
	done := make(chan error)
	void := func(i int) { done <- b.Of("a").Void(t.Context(), handle(i)) }
	go void(1)
	<-m.syncing
	for i := 1; i <= 5; i++ {
		go void(i)
	}
	for waiting := 0; waiting < 4; {
		b.mu.Lock()
		waiting = len(b.mu.leaving)
		b.mu.Unlock()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Of("a").Void(ctx, handle(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v", err)
	}
	if _, ok := b.Of("a").Find(handle(2)); ok || b.Of("a").Put(handle(2), witness(2)) {
		t.Error("it is found, or taken, while it is being voided")
	}
	select {
	case <-done:
		t.Error("one has not waited")
	default:
	}
	m.syncing <- struct{}{}
	<-m.syncing
	m.syncing <- struct{}{}
	for range 6 {
		must(t, <-done)
	}
	if n := m.syncs - syncs; n != 2 {
		t.Errorf("%d syncs", n)
	}
	b.has(t, "then")
}

func TestAPlaceThatIsNotWholeOrRottenHasNoWitness(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 0, 1, 2)
	must(t, b.Close())
	whole := bytes.Clone(m.content)
	for at := range 4 * placeSize {
		m := &memory{content: bytes.Clone(whole)}
		m.content[at] ^= 1 << (at % 8)
		b := opened(t, m)
		want := []int{0, 1, 2}
		switch {
		case at < placeSize:
			want = nil
		default:
			want = slices.Delete(want, at/placeSize-1, at/placeSize)
		}
		b.has(t, fmt.Sprintf("a bit of byte %d", at), want...)
	}
	for n := range 4*placeSize + 1 {
		b := opened(t, &memory{content: bytes.Clone(whole[:n])})
		b.has(t, fmt.Sprintf("%d bytes", n), []int{0, 1, 2}[:max(n/placeSize, 1)-1]...)
		b.put(t, 9)
		must(t, b.Flush(t.Context()))
	}
}

// A place that is moved, or copied, is no witness there; of two of one file neither counts.
func TestAFileHasOneWitness(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 0, 1)
	must(t, b.Close())
	moved := &memory{content: bytes.Clone(m.content)}
	copy(moved.content[5*placeSize:], moved.content[placeSize:][:placeSize])
	opened(t, moved).has(t, "a copy", 0, 1)
	w := witness(0)
	for place := uint32(5); place < 7; place++ {
		copy(m.content[place*placeSize:], encode(place, name{HashOf("a"), string(handle(0))}, &w)[:])
	}
	opened(t, m).has(t, "three", 1)
	opened(t, &memory{content: m.durable}).has(t, "for good", 1)
}

// What can't be of use any more is voided at the start.
func TestWhatIsNotKeptIsGoneForGood(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 0)
	w := witness(1)
	w.Store = b.unkept
	b.Of("a").Put(handle(1), w)
	must(t, b.Close())
	b = opened(t, m)
	b.has(t, "not kept", 0)
	b = opened(t, &memory{content: m.durable})
	b.has(t, "for good", 0)
	b.put(t, 5, 6, 7, 8)
}

func TestTheOldestGiveWayWhenThereAreTooMany(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	size := len(m.content)
	for i := range most {
		b.put(t, i)
	}
	b.Of("a").Find(handle(0))
	if b.Of("a").Put(handle(most), witness(most)) {
		t.Error("there are too many")
	}
	must(t, b.Flush(t.Context()))
	b.put(t, most, most+1)
	var want []int
	for i := range most + 2 {
		if i != 1 && i != 2 {
			want = append(want, i)
		}
	}
	b.has(t, "then", want...)
	must(t, b.Close())
	opened(t, m).has(t, "in the next life", want...)
	if len(m.content) != size || size != (most+1)*placeSize {
		t.Errorf("%d bytes, then %d", size, len(m.content))
	}
	if b.Of("a").Put(nil, witness(1)) || b.Of("a").Put(bytes.Repeat([]byte{1}, 65), witness(1)) {
		t.Error("a handle that can't be one is taken")
	}
}

func TestAVolumeIsForgotten(t *testing.T) {
	m := new(memory)
	b := opened(t, m)
	b.put(t, 1, 2)
	b.Of("b").Put(handle(3), witness(3))
	must(t, b.Flush(t.Context()))
	must(t, b.Of("a").Forget(t.Context()))
	must(t, b.Of("c").Forget(t.Context()))
	for _, b := range []*book{b, opened(t, &memory{content: m.durable})} {
		if _, ok := b.Of("b").Find(handle(3)); !ok || b.Count() != 1 {
			t.Errorf("%d, another volume's: %v", b.Count(), ok)
		}
	}
}

// A medium that fails condemns what its witnesses are about, before a file that has one is changed; and nobody else's.
func TestWhatCanNotBeVoidedIsCondemned(t *testing.T) {
	for name, end := range map[string]func(*book) error{
		"void":   func(b *book) error { return b.Of("a").Void(context.Background(), handle(1)) },
		"forget": func(b *book) error { return b.Of("a").Forget(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			m := new(memory)
			b := opened(t, m)
			b.put(t, 1, 2)
			w := witness(3)
			w.Store = flash.ID{3}
			b.Of("b").Put(handle(3), w)
			must(t, b.Flush(t.Context()))
			m.broken, b.refuses = errBroken, errors.New("that fails, too")
			for range 2 {
				if err := end(b); !errors.Is(err, b.refuses) {
					t.Fatalf("it goes on: %v", err)
				}
			}
			m.broken, b.refuses = nil, nil // a medium that has failed once isn't believed again
			for range 2 {
				must(t, end(b))
			}
			if !slices.Equal(b.condemned, []flash.ID{{1}}) {
				t.Errorf("condemned: %v", b.condemned)
			}
			if _, ok := b.Of("b").Find(handle(3)); !ok || b.Count() != 1 || b.Of("a").Put(handle(4), witness(4)) {
				t.Errorf("%d, another store's: %v", b.Count(), ok)
			}
		})
	}
}

func TestAFileOnTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nfs-witnesses")
	o := Options{Keep: func(Hash, flash.ID) bool { return true }, Condemn: func(flash.ID) error { return nil }}
	reopen := func() *book {
		f, err := Open(path, o)
		must(t, err)
		return &book{File: f}
	}
	killed := reopen()
	killed.put(t, 1, 2)
	must(t, killed.Flush(t.Context()))
	b := reopen()
	b.has(t, "after a kill", 1, 2)
	must(t, b.Of("a").Void(t.Context(), handle(1)))
	must(t, b.Close())
	if b.Of("a").Put(handle(5), witness(5)) {
		t.Error("taken after the end")
	}
	b = reopen()
	b.has(t, "after the end", 2)
	must(t, b.Close())
	must(t, os.WriteFile(path, []byte("something else"), 0o600))
	b = reopen()
	b.has(t, "another's file")
	b.put(t, 3)
	must(t, b.Close())
	reopen().has(t, "made anew", 3)
	if _, err := Open(filepath.Dir(path), o); err == nil {
		t.Error("a folder is opened")
	}
}
