package writelog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// TestB9_AnyWorkloadInAnyGeometry runs random workloads of many shards in rings of few segments, which may be long: what is alive reads as it was written from
// where the log says that it is, at any time, after a restart and after a kill. FOREBAY_SOAK is how many seeds to try, from FOREBAY_SEED on, with logs of up to
// half a GiB.
func TestB9_AnyWorkloadInAnyGeometry(t *testing.T) {
	seeds, longer := 12/thin, 0
	if n, err := strconv.Atoi(os.Getenv("FOREBAY_SOAK")); err == nil {
		seeds, longer = n, 5
	}
	base, _ := strconv.Atoi(os.Getenv("FOREBAY_SEED"))
	for seed := base; seed <= base+seeds; seed++ {
		most := int64(4096) << rand.New(rand.NewPCG(uint64(seed), 1)).IntN(longer+1)
		t.Run(strconv.Itoa(seed), func(t *testing.T) { anyWorkload(t, uint64(seed), most) })
	}
}

// anyWorkload is one in a log of that many units at most.
func anyWorkload(t *testing.T, seed uint64, most int64) {
	random := rand.New(rand.NewPCG(seed, 99))
	units := int64(8) << random.IntN(12)
	units = min(units+random.Int64N(units), most/8, 16384)
	segments := 8 + random.Int64N(min(32, most/units-8)+1)
	w := newWorkload(t, random, units, segments)
	t.Logf("%d segments of %d units, %d shards, %s", segments, units, w.shards, w.mix)
	for steps := 0; steps < 3000/thin && w.written < min(6*segments*units, 3*most)*device.Unit; steps++ {
		if err := w.step(); err != nil {
			used, capacity := w.l.Space()
			t.Fatalf("seed %d, after %d bytes, %d of %d used: %v", seed, w.written, used, capacity, err)
		}
	}
	if err := errors.Join(w.readAll(), w.restart()); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if err := w.l.Close(); err != nil {
		t.Fatal(err)
	}
}

// workload is a user of a log.
type workload struct {
	t       *testing.T
	random  *rand.Rand
	d       *cutDevice
	l       *writelog.Log
	k       *knowledge
	shards  int
	pinned  int // the first shards, which are only trimmed when there is no other way
	mix     string
	written int64
}

func newWorkload(t *testing.T, random *rand.Rand, units, segments int64) *workload {
	d := &cutDevice{image: device.Buffer(int((4 + units*segments) * device.Unit)), random: random}
	if err := writelog.Format(memory(t, d.image), writelog.FormatOptions{SegmentSize: units * device.Unit}); err != nil {
		t.Fatal(err)
	}
	w := &workload{t: t, random: random, d: d, k: newKnowledge(), mix: []string{"blocks", "small", "large", "any"}[random.IntN(4)]}
	w.shards = 1 + random.IntN(1<<random.IntN(10))
	w.pinned = random.IntN(w.shards/2 + 1)
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.l.Close() })
	return w
}

func (w *workload) open() (err error) {
	w.d.cut = w.k.freeze
	w.l, err = writelog.Open(w.d, writelog.Options{Moved: w.k.moved})
	return err
}

// step does one thing, or a burst of one.
func (w *workload) step() error {
	switch n := w.random.IntN(400); {
	case n < 260:
		return w.burst()
	case n < 340:
		return w.trim(w.shard(), false)
	case n < 350:
		return w.void(w.shard())
	case n < 390:
		return w.readSome(20)
	case n < 394:
		return w.restart()
	case n < 398:
		return w.kill()
	}
	return w.readAll()
}

func (w *workload) shard() writelog.Shard { return writelog.Shard(w.random.IntN(w.shards) + 1) }

func (w *workload) size() int {
	most := int(w.l.MaxData())
	switch w.mix {
	case "blocks":
		return min(512<<w.random.IntN(12), most)
	case "small":
		return w.random.IntN(700)
	case "large":
		return most - w.random.IntN(most/3)
	}
	return w.random.IntN(most)
}

// burst appends records without waiting, perhaps trims something behind them, and then waits.
func (w *workload) burst() error {
	n := 1 + w.random.IntN(1<<w.random.IntN(7))
	outcomes, asked := make(chan error, n), 0
	var full error
	for range n {
		r, data := w.k.next(w.shard(), w.random, w.size())
		err := w.l.Append(r, [][]byte{data}, func(at writelog.Position, err error) {
			w.k.answered(r, at, err)
			outcomes <- err
		})
		if err != nil {
			full = err
			w.k.refused(r)
			break
		}
		w.written += r.Len + 100
		asked++
	}
	if full == nil && w.random.IntN(3) == 0 {
		full = w.trim(w.shard(), false)
	}
	for range asked {
		if err := <-outcomes; err != nil {
			return err
		}
	}
	if errors.Is(full, writelog.ErrFull) || errors.Is(full, writelog.ErrShards) {
		return w.makeRoom()
	}
	return full
}

// makeRoom trims shards until something has been trimmed.
func (w *workload) makeRoom() error {
	for range 20 {
		shard := writelog.Shard(w.pinned + w.random.IntN(w.shards-w.pinned) + 1)
		if w.k.alive(shard) > 0 {
			return w.trim(shard, true)
		}
	}
	for shard := writelog.Shard(1); int(shard) <= w.shards; shard++ {
		if err := w.trim(shard, true); err != nil {
			return err
		}
	}
	return nil
}

func (w *workload) trim(shard writelog.Shard, need bool) error {
	if int(shard) <= w.pinned && !need {
		return nil
	}
	upto := w.k.beginTrim(shard, w.random, need)
	err := w.l.Trim(shard, upto)
	w.k.endTrim(shard, upto)
	return err
}

// void ends an epoch: of older records none is left, or only those of the last epoch. The shard's numbers may go on from a lower one.
func (w *workload) void(shard writelog.Shard) error {
	if int(shard) <= w.pinned {
		return nil
	}
	below := w.k.beginVoid(shard, w.random)
	err := w.l.Void(shard, below)
	w.k.endVoid(shard, w.random)
	return err
}

// restart closes the log, opens it again, and holds what it replays against what is known.
func (w *workload) restart() error {
	if err := w.l.Close(); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	return w.k.copy().check(w.l, w.k)
}

// kill goes on with what the device had in the middle of a write, of which any sectors may have landed.
func (w *workload) kill() error {
	w.d.arm(1 + w.random.IntN(12))
	for w.d.armed() {
		if err := errors.Join(w.burst(), w.trim(w.shard(), false)); err != nil {
			return fmt.Errorf("before a kill: %w", err)
		}
	}
	if err := w.l.Close(); err != nil {
		return err
	}
	w.d.image = w.d.left
	if err := w.open(); err != nil {
		return fmt.Errorf("after a kill: %w", err)
	}
	then := w.k.frozen
	if err := then.check(w.l, then); err != nil {
		return fmt.Errorf("after a kill: %w", err)
	}
	w.k = then
	w.d.cut = w.k.freeze
	return w.reopen()
}

// reopen opens the log once more, so that what it moves is told to who knows it now.
func (w *workload) reopen() error {
	if err := w.l.Close(); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	return w.k.copy().check(w.l, w.k)
}

func (w *workload) readSome(n int) error {
	for range n {
		if h, ok := w.k.one(w.shard(), w.random); ok {
			if err := w.read(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *workload) readAll() error {
	for shard := writelog.Shard(1); int(shard) <= w.shards; shard++ {
		for _, h := range w.k.all(shard) {
			if err := w.read(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// read holds a record's data, or a part of them, against what was written. It may be moved meanwhile, and only then not be where it was.
func (w *workload) read(h held) error {
	skip := w.random.Int64N(h.Len + 1)
	if w.random.IntN(2) == 0 {
		skip = 0
	}
	p := make([]byte, w.random.Int64N(h.Len-skip+1))
	err := w.l.ReadAt(p, h.at, skip)
	for now := w.k.where(h); errors.Is(err, writelog.ErrGone) && now != h.at; now = w.k.where(h) {
		h.at = now
		err = w.l.ReadAt(p, h.at, skip)
	}
	if err != nil {
		return fmt.Errorf("shard %d record %d at %v: %w", h.Shard, h.Seq, h.at, err)
	}
	if string(p) != string(contentOf(h.Record)[skip:][:len(p)]) {
		return fmt.Errorf("shard %d record %d at %v: other bytes", h.Shard, h.Seq, h.at)
	}
	return nil
}

// contentOf is the data of a record, which are those of no other, also of none with its number in another epoch.
func contentOf(r writelog.Record) []byte {
	return content(r.Shard|writelog.Shard(r.Epoch)<<32, r.Seq, int(r.Len))
}
