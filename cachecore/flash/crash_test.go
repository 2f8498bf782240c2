package flash

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
)

// history is what the array has held, by the twin's event before which it was written there.
type history struct {
	*rig
	at []written
}

type written struct {
	event   int
	key     Key
	block   cachecore.Block
	version uint64
}

// write notes when the array has what: as soon as Invalidate has let it through.
func (h *history) write(k Key, first cachecore.Block, n int) {
	h.rig.write(k, first, n)
	event := h.twin.Events()
	for b := first; b < first+cachecore.Block(n); b++ {
		h.at = append(h.at, written{event, k, b, h.array[k][b]})
	}
}

// upto is what the array holds when the power is cut at an event.
func (h *history) upto(event int) map[Key]map[cachecore.Block]uint64 {
	array := make(map[Key]map[cachecore.Block]uint64)
	for _, w := range h.at {
		if w.event > event {
			break
		}
		if array[w.key] == nil {
			array[w.key] = make(map[cachecore.Block]uint64)
		}
		array[w.key][w.block] = w.version
	}
	return array
}

// cut checks images of a power cut at an event, most of them at most, and returns how many blocks they served.
func (h *history) cut(event, most int, random *rand.Rand) int {
	h.Helper()
	array, served := h.upto(event), 0
	crash := h.twin.Crash(event)
	every := crash.Count(longer(64, 4096))
	limit, n := max(every, 2*most), 0
	crash.Each(limit, random, func(image []byte) bool {
		n++
		if random.IntN(limit) >= most && n > 1 {
			return true
		}
		served += h.serves(image, array)
		return true
	})
	return served
}

// serves opens an image twice, the second time as after a power cut right behind the first, and reads everything.
func (h *history) serves(image []byte, array map[Key]map[cachecore.Block]uint64) int {
	h.Helper()
	twin, served := devicetest.FromImage(image), [2]int{}
	for i := range served {
		s := h.openOn(twin)
		for k := range h.objects {
			o, err := s.Attach(bg, k, 1, 1)
			if err != nil {
				h.Fatal(err)
			}
			for first := cachecore.Block(0); first < 64; first += 64 {
				served[i] += checkOn(h, o, array[k], first, 64)
			}
		}
		s.end()
		_ = s.memory.Close() // and the rest of it is forgotten: it doesn't close
		twin = devicetest.FromImage(twin.Image())
	}
	if served[1] > served[0] { // fewer: the first found a clean end
		h.Fatalf("%d blocks after the first opening, %d after the second", served[0], served[1])
	}
	return served[0]
}

// longer is for `FOREBAY_SOAK=1 go test`.
func longer(short, long int) int {
	if os.Getenv("FOREBAY_SOAK") != "" {
		return long
	}
	return short
}

// slower is how sparsely to look where the race detector makes everything slow.
func slower(step int) int {
	if raceEnabled {
		return 8 * step
	}
	return step
}

// The workload fills the device more than once, writes to what is cached, caches it again, drops an object, and ends in the middle.
func workload(h *history) {
	a, b := keyOf(1), keyOf(2)
	for round := range 3 {
		for line := range 4 {
			h.cache(a, blockOf(line), 8)
			h.cache(b, blockOf(line)+2, 5)
			if line%2 == round%2 {
				h.write(a, blockOf(line)+3, 2)
				h.cache(a, blockOf(line)+3, 1)
				h.check(a, 0, 64)
			}
		}
		h.write(b, 0, 20)
		if round == 1 {
			if err := h.object(b).Drop(bg); err != nil {
				h.Fatal(err)
			}
			h.set(b, 0, 64)
			for i, event := 0, h.twin.Events(); i < 64; i++ {
				h.at = append(h.at, written{event, b, cachecore.Block(i), h.array[b][cachecore.Block(i)]})
			}
		}
	}
	h.quiet()
}

func TestG3_NothingStaleAfterAPowerCutAtAnyPoint(t *testing.T) {
	t.Run("a device that discards", func(t *testing.T) { cutAnywhere(t, func(*history) {}) })
	t.Run("one that can't", func(t *testing.T) { cutAnywhere(t, func(h *history) { h.cannotDiscard() }) })
}

func cutAnywhere(t *testing.T, prepare func(*history)) {
	h := &history{rig: newRig(t, 6, Options{})}
	prepare(h)
	begun := h.twin.Events() // Format and Open are over
	workload(h)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	served, events := 0, h.twin.Events()
	for event := begun; event <= events; event += 1 + random.IntN(slower(1)) {
		served += h.cut(event, longer(1, 40), random)
	}
	t.Logf("%d events, %d blocks served after power cuts", events-begun, served)
	if served < events-begun {
		t.Fatalf("only %d blocks served in all: this proves little", served)
	}
}

func TestG3_NothingStaleAfterACleanEndAndAPowerCut(t *testing.T) {
	h := &history{rig: newRig(t, 6, Options{})}
	workload(h)
	h.close()
	closed := h.twin.Events()
	h.open()
	workload(h)
	random := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	served, events := 0, h.twin.Events()
	for event := closed; event <= events; event += 1 + random.IntN(slower(longer(4, 1))) {
		served += h.cut(event, 3, random)
	}
	if served == 0 {
		t.Fatal("nothing was served")
	}
}

// A power cut in the middle of Format leaves the old tier, none, or the new one.
func TestAPowerCutInFormatLeavesNoMixture(t *testing.T) {
	h := &history{rig: newRig(t, 6, Options{})}
	workload(h)
	h.close()
	twin := devicetest.FromImage(h.twin.Image())
	id, err := Format(twin, FormatOptions{RegionBytes: minRegion * blockSize})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 3))
	for event := range twin.Events() + 1 {
		crash := twin.Crash(event)
		crash.Each(40, random, func(image []byte) bool {
			s, err := Open(devicetest.FromImage(image), Options{Condemn: h.condemn})
			switch {
			case errors.Is(err, ErrNotFormatted):
				return true
			case err != nil:
				t.Fatal(err)
			case s.ID() == id && s.Stats().UsedBytes != 0:
				t.Fatal("the new tier is not empty")
			case s.ID() != id && s.ID() != h.id:
				t.Fatal("neither the old tier nor the new one")
			}
			_ = s.memory.Close()
			return true
		})
	}
}
