package export

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Many change files and names and look at them at once, through two exports of one filer, while nodes are put away, caches dropped and connections
// lost: nobody ever sees less than what was answered before they asked.
func TestWhatWasAnsweredIsSeenByAllWhoAskAfterIt(t *testing.T) {
	const rounds = 100
	r := newRig(t, shuffled)
	other := newRig(t, func(o *Options) { o.Files, o.Nodes, o.OnArrayLoss = r.export.opts.Files, 16, time.Minute })
	Beside(r.export, other.export)
	s := &stress{T: t, mem: r.mem, through: []nfstest.User{r.root, r.root, other.root}}
	var changers, watchers sync.WaitGroup
	done := make(chan struct{})
	for _, scene := range []func() (change func(i int), watch func()){s.size, s.names, s.versions, s.versions} {
		change, watch := scene()
		changers.Go(func() {
			for i := range rounds {
				change(i)
			}
		})
		for range 2 {
			watchers.Go(func() { s.until(done, watch) })
		}
	}
	watchers.Go(func() { s.until(done, s.disturb(r.export, other.export)) })
	changers.Wait()
	close(done)
	watchers.Wait()
}

// shuffled has answers come in another order than they were given, and the array away now and then.
func shuffled(o *Options) {
	o.OnArrayLoss, o.Files, o.Nodes = time.Minute, &shuffler{o.Files}, 32
}

type shuffler struct{ nfs.FileSystem }

func (s *shuffler) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if rand.IntN(2000) == 0 {
		return errAway
	}
	defer yield()
	yield()
	return s.FileSystem.Do(ctx, c, p, a, r)
}

func yield() {
	for range rand.IntN(8) {
		runtime.Gosched()
	}
}

// stress is what the goroutines share.
type stress struct {
	*testing.T
	mem     *nfstest.Mem
	through []nfstest.User
	made    int
}

func (s *stress) user() nfstest.User { return s.through[rand.IntN(len(s.through))] }

func (s *stress) file(content []byte) (string, nfs.Handle) {
	s.made++
	name := fmt.Sprintf("file %d", s.made)
	return name, s.mem.Put(name, content)
}

func (s *stress) until(done <-chan struct{}, f func()) {
	for {
		select {
		case <-done:
			return
		default:
			f()
		}
	}
}

// disturb puts nodes away and drops caches.
func (s *stress) disturb(list ...*Export) func() {
	var files []nfs.Handle
	for i := range 100 {
		files = append(files, s.mem.Put(fmt.Sprint("more/", i), nil))
	}
	return func() {
		for _, h := range files {
			s.user().GetAttr(h)
		}
		list[rand.IntN(len(list))].Drop()
	}
}

// size is a file whose size and links change while its beginning is written.
func (s *stress) size() (func(int), func()) {
	type state struct {
		size  uint64
		links uint32
	}
	name, h := s.file(of('a', 4096))
	root := s.mem.Root()
	g := &register[state]{states: []state{{4096, 1}}}
	now := g.states[0]
	change := func(i int) {
		u := s.user()
		company := start(func() { s.user().Write(h, rand.Uint64N(4000), nfs.Unstable, of('b', 90)) })
		switch size := 4096 + rand.Uint64N(20000); {
		case now.links == 2:
			now.links = 1
			g.change(now, func() { u.Remove(root, name+" too") })
		case i%4 == 0:
			now.links = 2
			g.change(now, func() { u.Link(h, root, name+" too") })
		case i%4 == 1:
			now.size = size
			g.change(now, func() { u.Truncate(h, size) })
		case i%4 == 2:
			now.size = size
			g.change(now, func() {
				u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: root, Name: name}, Attr: nfs.SetAttr{Size: nfs.Some(size)}})
			})
		default:
			now.size = max(now.size, size)
			g.change(now, func() { u.Write(h, size-10, nfs.FileSync, of('c', 10)) })
		}
		<-company
	}
	return change, func() {
		g.look(s.T, func() state {
			a := s.user().GetAttr(h).Attr
			return state{a.Size, a.Nlink}
		})
	}
}

// names is a name that leads to one file, another, or nowhere.
func (s *stress) names() (func(int), func()) {
	root := s.mem.Root()
	name, first := s.file(nil)
	second, third := name+" 2", name+" 3"
	g := &register[string]{states: []string{string(first)}}
	change := func(i int) {
		u := s.user()
		switch i % 3 {
		case 0:
			made := u.Create(root, second, 0o644)
			g.change(string(made.Object.Value), func() { u.Rename(root, second, root, name) })
		case 1:
			g.change("", func() { u.Rename(root, name, root, third) })
		case 2:
			h := u.Lookup(root, third).Object
			g.change(string(h), func() { u.Link(h, root, name) })
			u.Remove(root, third)
		}
	}
	return change, func() { g.look(s.T, func() string { return string(s.user().Lookup(root, name).Object) }) }
}

// versions are blocks of a file each half of which is written with ever higher numbers; beside them another writes.
func (s *stress) versions() (func(int), func()) {
	_, h := s.file(of(0, 4*4096))
	halves := make([]*register[uint64], 8)
	for i := range halves {
		halves[i] = &register[uint64]{states: []uint64{0}}
	}
	change := func(i int) {
		var all sync.WaitGroup
		for _, half := range rand.Perm(len(halves))[:4] {
			all.Go(func() {
				version := uint64(i + 1)
				p := binary.BigEndian.AppendUint64(nil, version)
				halves[half].change(version, func() { s.user().Write(h, uint64(half)*2048, nfs.Unstable, p) })
			})
		}
		all.Wait()
	}
	return change, func() {
		half := rand.IntN(len(halves))
		halves[half].look(s.T, func() uint64 {
			got := s.user().Read(h, uint64(half)*2048, 8)
			return binary.BigEndian.Uint64(append(got.Data, make([]byte, 8)...))
		})
	}
}
