package writelog_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// knowledge is what a log has been asked and has answered, as far as it matters for what must be, and may be, in it now.
type knowledge struct {
	mu     sync.Mutex
	of     map[writelog.Shard]*known
	frozen *knowledge // when the device was cut
}

// known is what is known of one shard. Its records that may be there are those from ended + 1 to last; those must be that were answered, are above mayEnd,
// and are not about to be void.
type known struct {
	epoch         cachecore.Epoch
	last          cachecore.Seq
	ended, mayEnd cachecore.Seq
	voiding       bool // all of it
	records       map[cachecore.Seq]kept
}

type kept struct {
	writelog.Record
	at       writelog.Position
	answered bool
}

func newKnowledge() *knowledge { return &knowledge{of: map[writelog.Shard]*known{}} }

func (k *knowledge) shard(id writelog.Shard) *known {
	s := k.of[id]
	if s == nil {
		s = &known{epoch: 1, records: map[cachecore.Seq]kept{}}
		k.of[id] = s
	}
	return s
}

// next is a record that the shard may have next.
func (k *knowledge) next(id writelog.Shard, random *rand.Rand, n int) (writelog.Record, []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(id)
	if random.IntN(500) == 0 {
		s.epoch++
	}
	s.last++
	r := record(id, s.last, n)
	r.Epoch = s.epoch
	s.records[r.Seq] = kept{Record: r}
	return r, contentOf(r)
}

func (k *knowledge) refused(r writelog.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(r.Shard)
	delete(s.records, r.Seq)
	s.last--
}

func (k *knowledge) answered(r writelog.Record, at writelog.Position, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(r.Shard)
	if h, ok := s.records[r.Seq]; ok && err == nil {
		h.at, h.answered = at, true
		s.records[r.Seq] = h
	}
}

// moved is the log's.
func (k *knowledge) moved(id writelog.Shard, seq cachecore.Seq, _, to writelog.Position) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h, ok := k.shard(id).records[seq]; ok {
		h.at = to
		k.shard(id).records[seq] = h
	}
}

func (k *knowledge) alive(id writelog.Shard) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.shard(id).records)
}

// beginTrim chooses up to where the shard is to be trimmed: some of what was answered, or what has been before.
func (k *knowledge) beginTrim(id writelog.Shard, random *rand.Rand, need bool) cachecore.Seq {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(id)
	upto := s.ended
	for s.records[upto+1].answered && (random.IntN(200) > 0 || need && upto == s.ended) {
		upto++
	}
	s.mayEnd = max(s.mayEnd, upto)
	return upto
}

func (k *knowledge) endTrim(id writelog.Shard, upto cachecore.Seq) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shard(id).end(upto)
}

func (s *known) end(upto cachecore.Seq) {
	s.ended = max(s.ended, upto)
	maps.DeleteFunc(s.records, func(seq cachecore.Seq, _ kept) bool { return seq <= s.ended })
}

func (k *knowledge) beginVoid(id writelog.Shard, random *rand.Rand) (below cachecore.Epoch) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(id)
	below = s.epoch
	if random.IntN(2) == 0 {
		s.epoch++
		below, s.voiding = s.epoch, true
	}
	for seq, h := range s.records {
		if h.Epoch < below {
			s.mayEnd = max(s.mayEnd, seq)
		}
	}
	return below
}

func (k *knowledge) endVoid(id writelog.Shard, random *rand.Rand) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(id)
	if s.end(s.mayEnd); s.voiding {
		s.voiding = false
		s.last = cachecore.Seq(random.Uint64N(uint64(s.last) + 2))
		s.ended, s.mayEnd = s.last, s.last
	}
}

func (k *knowledge) one(id writelog.Shard, random *rand.Rand) (held, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.shard(id)
	h, ok := s.records[s.ended+1+cachecore.Seq(random.IntN(len(s.records)+1))]
	return held{h.Record, h.at}, ok
}

func (k *knowledge) where(h held) writelog.Position {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shard(h.Shard).records[h.Seq].at
}

func (k *knowledge) all(id writelog.Shard) (all []held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.shard(id).records {
		all = append(all, held{h.Record, h.at})
	}
	return all
}

func (k *knowledge) copy() *knowledge {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := newKnowledge()
	for id, s := range k.of {
		twin := *s
		twin.records = maps.Clone(s.records)
		c.of[id] = &twin
	}
	return c
}

// freeze is called in the middle of a write.
func (k *knowledge) freeze() { k.frozen = k.copy() }

// check holds what a log replays against what is known, and then goes on from that.
func (k *knowledge) check(l *writelog.Log, into *knowledge) error {
	if damage := l.Damage(); len(damage) > 0 {
		return fmt.Errorf("damage where there is none: %v", damage)
	}
	got := map[writelog.Shard][]held{}
	err := l.Replay(func(r writelog.Record, at writelog.Position) error {
		got[r.Shard] = append(got[r.Shard], held{r, at})
		return nil
	})
	if err != nil {
		return err
	}
	for id, s := range k.of {
		if err := s.check(l, got[id]); err != nil {
			return fmt.Errorf("shard %d, %d to %d, ended %d to %d: %w", id, s.ended+1, s.last, s.ended, s.mayEnd, err)
		}
		into.shard(id).adopt(got[id])
		delete(got, id)
	}
	if len(got) > 0 {
		return fmt.Errorf("shards that are not known: %v", got)
	}
	return nil
}

func (s *known) check(l *writelog.Log, got []held) error {
	for i, h := range got {
		want, ok := s.records[h.Seq]
		switch {
		case !ok || !sameRecord(want.Record, h.Record):
			return fmt.Errorf("replayed %v, which is not alive", h.Record)
		case i > 0 && h.Seq != got[i-1].Seq+1:
			return fmt.Errorf("record %d behind %d", h.Seq, got[i-1].Seq)
		}
		p := make([]byte, h.Len)
		if err := l.ReadAt(p, h.at, 0); err != nil {
			return fmt.Errorf("record %d at %v: %w", h.Seq, h.at, err)
		}
		if string(p) != string(contentOf(h.Record)) {
			return fmt.Errorf("record %d at %v: other bytes", h.Seq, h.at)
		}
	}
	for seq, h := range s.records {
		must := h.answered && seq > s.mayEnd && !s.voiding
		if must && (len(got) == 0 || seq < got[0].Seq || seq > got[len(got)-1].Seq) {
			return fmt.Errorf("record %d was answered, replayed %v", seq, seqs(got))
		}
	}
	return nil
}

func (s *known) adopt(got []held) {
	clear(s.records)
	if len(got) > 0 {
		s.ended, s.last = got[0].Seq-1, got[len(got)-1].Seq
	} else {
		s.ended = s.last
	}
	s.mayEnd, s.voiding = s.ended, false
	for _, h := range got {
		s.records[h.Seq] = kept{h.Record, h.at, true}
	}
}

// cutDevice is memory that can be cut off in the middle of a durable write.
type cutDevice struct {
	image  []byte
	random *rand.Rand
	cut    func()
	left   []byte // what a cut has left
	mu     sync.Mutex
	in     int // writes until the cut; 0: none is to come
	seed   uint64
}

func (d *cutDevice) arm(in int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in, d.seed = in, d.random.Uint64()
}

func (d *cutDevice) armed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.in > 0
}

func (d *cutDevice) Size() int64 { return int64(len(d.image)) }

func (d *cutDevice) ReadAt(p []byte, off int64) error {
	if err := device.Check(d.Size(), p, off); err != nil {
		return err
	}
	copy(p, d.image[off:])
	return nil
}

func (d *cutDevice) WriteDurable(p []byte, off int64) error {
	if err := device.Check(d.Size(), p, off); err != nil {
		return err
	}
	d.mu.Lock()
	now := d.in == 1
	d.in = max(0, d.in-1)
	d.mu.Unlock()
	if now {
		d.tear(p, off)
	}
	copy(d.image[off:], p)
	return nil
}

// tear leaves some sectors of a write: none, all, the first, the last, or any.
func (d *cutDevice) tear(p []byte, off int64) {
	const sector = 512
	d.left = device.Buffer(len(d.image))
	copy(d.left, d.image)
	random := rand.New(rand.NewPCG(d.seed, 1))
	kind, some := random.IntN(5), random.IntN(len(p)/sector)
	for i := range len(p) / sector {
		if kind == 1 || kind == 2 && i <= some || kind == 3 && i >= some || kind == 4 && random.IntN(3) > 0 {
			copy(d.left[int(off)+i*sector:][:sector], p[i*sector:])
		}
	}
	d.cut()
}

func (d *cutDevice) WriteAt(p []byte, off int64) error { return d.WriteDurable(p, off) }
func (d *cutDevice) Sync() error                       { return nil }
func (d *cutDevice) Discard(int64, int64) error        { return device.ErrUnsupported }
func (d *cutDevice) Close() error                      { return nil }
