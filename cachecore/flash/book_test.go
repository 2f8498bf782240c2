package flash

import (
	"math/rand/v2"
	"testing"

	"forebay/cachecore/device/devicetest"
)

// said is what a book has answered, by the event after which it had.
type said struct {
	event int
	account
}

func (a account) with(st standing, entries []entry) account {
	next := account{standing: st, marks: make(map[extent]seq)}
	for x, below := range a.marks {
		next.marks[x] = below
	}
	for _, e := range entries {
		next.marks[e.extent] = e.below
	}
	return next
}

// The ledger keeps what it has answered, wherever the power is cut: in the middle of a beginning of several pages, and in the middle of the
// next try, which has fewer.
func TestG3_TheLedgerKeepsWhatItHasAnswered(t *testing.T) {
	sb := superblock{id: ID{7}, layout: layout{ledgerHalf: 16, first: 34, regionBlocks: 16, footerBlocks: 2}}
	random := rand.New(rand.NewPCG(5, rand.Uint64()))
	for range longer(8, 200) / slower(1) {
		twin := devicetest.New(small(4))
		if err := newBook(twin, sb).restate(standing{slots: 4, floor: 1}, nil); err != nil {
			t.Fatal(err)
		}
		image, have := twin.Image(), account{standing: standing{slots: 4, floor: 1}}
		for range 6 {
			image, have = bookLife(t, sb, image, have, random)
		}
	}
}

// bookLife writes to a book, holds what any power cut leaves against what was answered, and returns one that the next life begins with.
func bookLife(t *testing.T, sb superblock, image []byte, have account, random *rand.Rand) ([]byte, account) {
	twin := devicetest.FromImage(image)
	b, a, err := readBook(twin, sb)
	if err != nil || !covers(a, have) {
		t.Fatalf("%v: %+v, and %+v was answered", err, a.standing, have.standing)
	}
	answers := []said{{0, have}}
	change := func(restate bool) {
		have = bookChange(t, b, have, restate, random)
		answers = append(answers, said{twin.Events(), have})
	}
	change(true) // as Open does
	for range random.IntN(8) {
		change(random.IntN(4) == 0)
	}
	var chosen []byte
	pick := random.IntN(twin.Events() + 1)
	for event := range twin.Events() + 1 {
		last := answers[0]
		for _, s := range answers {
			if s.event <= event {
				last = s
			}
		}
		twin.Crash(event).Each(longer(3, 60), random, func(image []byte) bool {
			_, a, err := readBook(devicetest.FromImage(image), sb)
			if err != nil || !covers(a, last.account) {
				t.Fatalf("event %d: %v: %+v with %d marks; %+v with %d were answered", event, err, a.standing, len(a.marks), last.standing, len(last.marks))
			}
			if event == pick {
				chosen, have = append(chosen[:0], image...), last.account
			}
			return true
		})
	}
	return chosen, have
}

func bookChange(t *testing.T, b *book, have account, restate bool, random *rand.Rand) account {
	st := have.standing
	if random.IntN(5) == 0 {
		st.floor += 3 // which makes many marks pointless
	}
	var entries []entry
	for range random.IntN(pageEntries) {
		n := uint32(random.IntN(b.marks()))
		entries = append(entries, entry{extent{Key{1}, n}, max(st.floor, have.marks[extent{Key{1}, n}]) + 1})
	}
	have = have.with(st, entries)
	var err error
	if restate || b.full() {
		err = b.restate(st, have.entries())
	} else {
		err = b.append(st, entries)
	}
	if err != nil {
		t.Fatal(err)
	}
	return have
}

// covers says whether a ledger has at least what was answered.
func covers(a, answered account) bool {
	for x, below := range answered.marks {
		if below > a.floor && a.marks[x] < below {
			return false
		}
	}
	return a.floor >= answered.floor && a.slots == answered.slots
}
