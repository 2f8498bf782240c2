package flash

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// tb is what a test and a rapid check have in common.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

var bg = context.Background()

// small is a device of that many regions of 64 KiB, 13 blocks of which are data.
func small(regions int) int64 {
	l, _, _ := newLayout(64<<20, minRegion*blockSize)
	return l.end(uint32(regions))
}

// rig is a store over a twin, and what its objects' array holds: a number for each block.
type rig struct {
	tb
	twin      *devicetest.Twin
	s         *Store
	id        ID
	options   Options
	objects   map[Key]*Object
	array     map[Key]map[cachecore.Block]uint64
	version   uint64
	mu        sync.Mutex
	condemned int
}

func newRig(t tb, regions int, o Options) *rig {
	t.Helper()
	r := &rig{tb: t, twin: devicetest.New(small(regions)), options: o, objects: make(map[Key]*Object), array: make(map[Key]map[cachecore.Block]uint64)}
	id, err := Format(r.twin, FormatOptions{RegionBytes: minRegion * blockSize})
	if err != nil {
		t.Fatal(err)
	}
	r.id = id
	r.open()
	return r
}

func (r *rig) condemn(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.condemned++
	return nil
}

func (r *rig) open() {
	r.Helper()
	r.s = r.openOn(r.twin)
	clear(r.objects)
}

func (r *rig) openOn(dev device.Device) *Store {
	r.Helper()
	o := r.options
	o.ID = r.id
	if o.Condemn == nil {
		o.Condemn = r.condemn
	}
	o.ReadMemory = minReadMemory
	if o.Patience == 0 {
		o.Patience = time.Minute // the machine may be busy
	}
	s, err := Open(dev, o)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func keyOf(n byte) Key { return Key{n, 15: n} }

// object attaches a key under epoch 1.
func (r *rig) object(k Key) *Object {
	r.Helper()
	if r.objects[k] == nil {
		o, err := r.s.Attach(bg, k, 1, 1)
		if err != nil {
			r.Fatal(err)
		}
		r.objects[k] = o
	}
	return r.objects[k]
}

// content is what the array has of a block.
func content(p []byte, k Key, b cachecore.Block, version uint64) {
	for i := 0; i < len(p); i += 32 {
		binary.LittleEndian.PutUint64(p[i:], version)
		binary.LittleEndian.PutUint64(p[i+8:], uint64(b))
		copy(p[i+16:i+32], k[:])
	}
}

func (r *rig) fill(p []byte, k Key, first cachecore.Block) {
	for i := 0; i*blockSize < len(p); i++ {
		b := first + cachecore.Block(i)
		content(p[i*blockSize:][:blockSize], k, b, r.array[k][b])
	}
}

// offer publishes what the array has of blocks of one line and returns how many were taken.
func (r *rig) offer(k Key, first cachecore.Block, n int) int {
	batch := r.object(k).Prepare(first, n)
	taken := 0
	for i := range n {
		if p := batch.Bytes(i); p != nil {
			r.fill(p, k, first+cachecore.Block(i))
			taken++
		}
	}
	batch.Publish()
	return taken
}

// cache offers blocks twice: they are taken if there is room.
func (r *rig) cache(k Key, first cachecore.Block, n int) {
	for n > 0 {
		part := min(n, lineBlocks-int(first%lineBlocks))
		r.quiet() // else the device may not keep up
		r.offer(k, first, part)
		r.offer(k, first, part)
		first, n = first+cachecore.Block(part), n-part
	}
}

// cacheTwice has two readers bring the same 8 blocks, which have been wanted before, one behind the other: there are two copies.
func (r *rig) cacheTwice(k Key) {
	r.offer(k, 0, 8)
	first, second := r.object(k).Prepare(0, 8), r.object(k).Prepare(0, 8)
	for _, batch := range []*Batch{&first, &second} {
		for i := range 8 {
			r.fill(batch.Bytes(i), k, cachecore.Block(i))
		}
		batch.Publish()
		r.quiet()
	}
}

// write changes blocks of the array, as a volume does.
func (r *rig) write(k Key, first cachecore.Block, n int) {
	r.Helper()
	if err := r.object(k).Invalidate(bg, first, uint64(n)); err != nil {
		r.Fatalf("invalidate: %v", err)
	}
	r.set(k, first, n)
}

func (r *rig) set(k Key, first cachecore.Block, n int) {
	if r.array[k] == nil {
		r.array[k] = make(map[cachecore.Block]uint64)
	}
	for i := range n {
		r.version++
		r.array[k][first+cachecore.Block(i)] = r.version
	}
}

// check reads blocks and holds what is found against the array; it returns how many were found.
func (r *rig) check(k Key, first cachecore.Block, n int) int {
	r.Helper()
	return checkOn(r, r.object(k), r.array[k], first, n)
}

func checkOn(t tb, o *Object, array map[cachecore.Block]uint64, first cachecore.Block, n int) int {
	t.Helper()
	p, want, count := make([]byte, n*blockSize), make([]byte, blockSize), 0
	found, err := o.Read(bg, first, n, p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if !found.Has(i) {
			continue
		}
		b := first + cachecore.Block(i)
		content(want, o.key, b, array[b])
		if string(want) != string(p[i*blockSize:][:blockSize]) {
			t.Fatalf("block %d of %x: version %d, and the array has %d", b, o.key[0], binary.LittleEndian.Uint64(p[i*blockSize:]), array[b])
		}
		count++
	}
	return count
}

func (r *rig) close() {
	r.Helper()
	if err := r.s.Close(bg); err != nil {
		r.Fatal(err)
	}
}

// quiet waits until nothing is under way in the store.
func (r *rig) quiet() {
	if err := r.s.tasks.Wait(bg); err != nil {
		r.Fatal(err)
	}
}

func rigFor(t *testing.T, regions int, o Options) *rig {
	r := newRig(t, regions, o)
	t.Cleanup(func() { _ = r.s.Close(bg) })
	return r
}

// blockOf is the first block of a line.
func blockOf(line int) cachecore.Block { return cachecore.Block(line) * lineBlocks }

// cannotDiscard makes the twin keep what was on it, as most devices do.
func (r *rig) cannotDiscard() {
	r.twin.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.Discard {
			return devicetest.Fault{Err: device.ErrUnsupported}
		}
		return devicetest.Fault{}
	})
}

// spill has what is in memory written to the device.
func (r *rig) spill() {
	r.s.fill.mu.Lock()
	if r.s.fill.current != nil {
		r.s.fill.seal()
	}
	r.s.fill.mu.Unlock()
	r.quiet()
}

// cut goes on with what a power cut leaves now: the oldest image of what isn't durable.
func (r *rig) cut() {
	r.Helper()
	r.quiet()
	r.twin.Crash(r.twin.Events()).Each(1, nil, func(image []byte) bool {
		r.twin = devicetest.FromImage(image)
		return false
	})
	_ = r.s.memory.Close()
	r.open()
}

type (
	twinCall  = devicetest.Call
	twinFault = devicetest.Fault
)

const twinWrite = devicetest.Write
