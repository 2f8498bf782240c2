package flash

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

const (
	modelKeys  = 3
	modelLines = 8
)

// model is a rig that rapid drives, one call at a time. Whatever happens, what is served is what the array has.
type model struct{ *rig }

func (m model) key(t *rapid.T) Key { return keyOf(rapid.Byte().Draw(t, "key")%modelKeys + 1) }

func (m model) span(t *rapid.T) (cachecore.Block, int) {
	first := rapid.IntRange(0, modelLines*lineBlocks-1).Draw(t, "first")
	return cachecore.Block(first), rapid.IntRange(1, min(20, modelLines*lineBlocks-first)).Draw(t, "n")
}

func (m model) Offer(t *rapid.T) {
	k := m.key(t)
	first, n := m.span(t)
	n = min(n, lineBlocks-int(first%lineBlocks))
	if rapid.Bool().Draw(t, "wait") {
		m.quiet()
	}
	m.offer(k, first, n)
}

func (m model) Cache(t *rapid.T) {
	k := m.key(t)
	first, n := m.span(t)
	m.cache(k, first, n)
}

func (m model) Abandon(t *rapid.T) {
	k := m.key(t)
	first, n := m.span(t)
	n = min(n, lineBlocks-int(first%lineBlocks))
	for range 2 {
		b := m.object(k).Prepare(first, n)
		b.Abandon()
	}
}

func (m model) Write(t *rapid.T) {
	k := m.key(t)
	first, n := m.span(t)
	m.write(k, first, n)
}

func (m model) Read(t *rapid.T) {
	k := m.key(t)
	first, n := m.span(t)
	held := m.object(k).Contains(first, n)
	if found := m.check(k, first, n); found < held.count() {
		t.Fatalf("contains %d blocks and serves %d", held.count(), found)
	}
}

func (m model) Drop(t *rapid.T) {
	k := m.key(t)
	if err := m.object(k).Drop(bg); err != nil {
		t.Fatal(err)
	}
	m.set(k, 0, modelLines*lineBlocks)
}

func (m model) Close(*rapid.T) {
	m.quiet() // else a region may be on its way out
	before := 0
	for k := range byte(modelKeys) {
		found := m.object(keyOf(k+1)).Contains(0, modelLines*lineBlocks)
		before += found.count()
	}
	m.close()
	m.open()
	after := 0
	for k := range byte(modelKeys) {
		after += m.check(keyOf(k+1), 0, modelLines*lineBlocks)
	}
	if after != before {
		m.Fatalf("%d blocks before a clean restart, %d after it", before, after)
	}
}

// Crash cuts the power while whatever is under way goes on.
func (m model) Crash(t *rapid.T) {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	crash := m.twin.Crash(m.twin.Events())
	skip := random.IntN(8)
	crash.Each(skip+1, random, func(image []byte) bool {
		if skip--; skip < 0 {
			m.twin = devicetest.FromImage(image)
		}
		return true
	})
	m.quiet()
	_ = m.s.memory.Close()
	m.open()
}

func (m model) Resize(t *rapid.T) {
	if err := m.s.Resize(bg, small(rapid.IntRange(4, 9).Draw(t, "regions"))); err != nil {
		t.Fatal(err)
	}
}

// Check is what holds after every step of a model: nothing that is found is stale.
func (m model) Check(*rapid.T) {
	for k := range byte(modelKeys) {
		m.check(keyOf(k+1), 0, modelLines*lineBlocks)
	}
}

func TestWhatIsServedIsWhatTheArrayHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{newRig(t, 9, Options{})}
		defer func() { m.quiet(); _ = m.s.memory.Close() }()
		t.Repeat(rapid.StateMachineActions(m))
		for k := range byte(modelKeys) {
			m.check(keyOf(k+1), 0, modelLines*lineBlocks)
		}
	})
}
