package flash

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
)

// volumes uses a store as a volume does: what a stripe guards is not published while it is written.
type volumes struct {
	*rig
	stripes [concurrentLines]sync.Mutex
	blocks  [concurrentLines * lineBlocks]atomic.Uint64 // versions on the array
}

const concurrentLines = 24

func (v *volumes) write(o *Object, r *rand.Rand) {
	line := r.IntN(concurrentLines)
	i := r.IntN(lineBlocks)
	n := 1 + r.IntN(lineBlocks-i)
	v.stripes[line].Lock()
	defer v.stripes[line].Unlock()
	first := blockOf(line) + cachecore.Block(i)
	if err := o.Invalidate(bg, first, uint64(n)); err != nil {
		v.Fatalf("%v", err)
	}
	for b := range n {
		v.blocks[int(first)+b].Add(1)
	}
}

func (v *volumes) offer(o *Object, r *rand.Rand) {
	if r.IntN(4) == 0 {
		v.quiet() // let the device keep up, now and then
	}
	line := r.IntN(concurrentLines)
	batch := o.Prepare(blockOf(line), lineBlocks)
	v.stripes[line].Lock()
	defer v.stripes[line].Unlock()
	for i := range lineBlocks {
		b := blockOf(line) + cachecore.Block(i)
		if p := batch.Bytes(i); p != nil {
			content(p, o.key, b, v.blocks[b].Load())
		}
	}
	if r.IntN(8) == 0 {
		batch.Abandon()
		return
	}
	batch.Publish()
}

// read wants nothing that is older than what the array held when it began.
func (v *volumes) read(o *Object, r *rand.Rand) {
	first := cachecore.Block(r.IntN(concurrentLines * lineBlocks))
	n := min(1+r.IntN(40), concurrentLines*lineBlocks-int(first))
	var before [40]uint64
	for i := range n {
		before[i] = v.blocks[int(first)+i].Load()
	}
	p, want := make([]byte, n*blockSize), make([]byte, blockSize)
	found, err := o.Read(bg, first, n, p)
	if err != nil {
		v.Fatalf("%v", err)
	}
	for i := range n {
		if !found.Has(i) {
			continue
		}
		got := p[i*blockSize:][:blockSize]
		version := binary.LittleEndian.Uint64(got)
		content(want, o.key, first+cachecore.Block(i), version)
		if string(want) != string(got) || version < before[i] {
			v.Fatalf("block %d: version %d, and the array had %d before", int(first)+i, version, before[i])
		}
	}
}

func TestWhatIsServedIsNeverOlderThanTheReadThatAsks(t *testing.T) {
	v := &volumes{rig: newRig(t, 16, Options{})}
	o := v.object(keyOf(1))
	rounds := longer(400, 20000)
	var all sync.WaitGroup
	each := func(n int, f func(*Object, *rand.Rand)) {
		for i := range n {
			all.Add(1)
			go func() {
				defer all.Done()
				r := rand.New(rand.NewPCG(uint64(i), rand.Uint64()))
				for range rounds {
					f(o, r)
				}
			}()
		}
	}
	for v.s.Stats().Admitted < 1000 && !t.Failed() { // where the device is slow, less of what is offered is taken in a round of all
		each(2, v.write)
		each(3, v.offer)
		each(3, v.read)
		each(1, func(_ *Object, r *rand.Rand) {
			switch r.IntN(40) {
			case 0:
				if err := v.s.Resize(bg, small(8+r.IntN(9))); err != nil {
					v.Fatalf("%v", err)
				}
			default:
				v.s.Stats()
				o.Contains(0, 100)
			}
		})
		all.Wait()
	}
	v.quiet()
	st := v.s.Stats()
	v.close()
	if st.Hits == 0 || st.Mismatches != 0 {
		t.Fatalf("%+v", st)
	}
}
