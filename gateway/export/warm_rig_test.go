package export

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/flash"
	"forebay/cachecore/ram"
	"forebay/gateway/witnesses"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// lives are those of a gateway with an export over a file system in memory, with a flash tier and a file of witnesses that outlive them.
type lives struct {
	*testing.T
	mem     *nfstest.Mem
	net     *network       // to it
	files   nfs.FileSystem // the filer, as the export has it
	change  func(*Options)
	twin    *devicetest.Twin
	id      flash.ID
	path    string // of the witnesses
	refuses error  // to condemn

	*life
}

// life is one of them.
type life struct {
	export    *Export
	root      nfstest.User
	ram       *ram.Store
	arena     *ram.Arena
	flash     *flash.Store
	witnesses *witnesses.File
	stop      func()
}

// inLives runs a test whose time is its own.
func inLives(t *testing.T, test func(*lives)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lives{T: t, mem: nfstest.New(nfstest.Options{}), twin: devicetest.New(8 * mib), path: filepath.Join(t.TempDir(), "witnesses"),
			change: func(*Options) {}}
		l.net = &network{FileSystem: l.mem}
		l.files = l.net
		id, err := flash.Format(l.twin, flash.FormatOptions{RegionBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		l.id = id
		l.begin()
		t.Cleanup(func() { l.end() })
		test(l)
	})
}

// begin is a start.
func (l *lives) begin() {
	l.Helper()
	x := new(life)
	l.life = x
	must := func(err error) {
		l.Helper()
		if err != nil {
			l.Fatal(err)
		}
	}
	var err error
	x.flash, err = flash.Open(l.twin, flash.Options{ID: l.id, ReadMemory: mib, Patience: time.Hour, Condemn: func(context.Context) error { return nil }})
	must(err)
	x.witnesses, err = witnesses.Open(l.path, witnesses.Options{Most: 100, Condemn: func(flash.ID) error { return l.refuses },
		Keep: func(_ witnesses.Hash, id flash.ID) bool { return id == l.id }})
	must(err)
	x.arena, err = ram.NewArena(32 * mib)
	must(err)
	x.ram, err = ram.NewStore(x.arena.Take(16 * mib))
	must(err)
	o := Options{Files: l.files, Objects: new(Objects), Store: x.ram, Buffers: ram.NewBuffers(x.arena.Take(16 * mib)), AttributeCache: time.Hour,
		ReadAhead: -1, Flash: func() *flash.Store { return x.flash }, Witnesses: x.witnesses.Of("vol1"), Filer: func() string { return "memory" }}
	l.change(&o)
	x.export = New(o)
	x.root = nfstest.User{T: l.T, FS: client{x.export}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { x.export.Run(ctx); close(ended) }()
	x.stop = func() { cancel(); <-ended }
}

// end is a clean one.
func (l *lives) end() {
	l.Helper()
	ctx, x := context.Background(), l.life
	x.export.works.Wait()
	err := x.export.Close(ctx)
	x.stop()
	if used := x.ram.Stats().UsedBytes; used != 0 {
		l.Errorf("%d bytes are cached at the end", used)
	}
	if len(x.export.keys.inUse) > 0 {
		l.Errorf("%d keys are in use at the end", len(x.export.keys.inUse))
	}
	if err = errors.Join(err, x.witnesses.Close(), x.flash.Close(ctx), x.ram.Close(ctx), x.arena.Close()); err != nil {
		l.Fatal(err)
	}
}

// restart is a clean end and a start.
func (l *lives) restart() {
	l.Helper()
	l.end()
	l.begin()
}

// left is what is on the media at some time, as they are: what was not forced to them, too.
type left struct {
	flash     *devicetest.Twin
	witnesses string
}

func (l *lives) left() (x left) {
	l.Helper()
	content, err := os.ReadFile(l.path)
	if err != nil {
		l.Fatal(err)
	}
	x.witnesses = filepath.Join(l.TempDir(), "witnesses")
	if err := os.WriteFile(x.witnesses, content, 0o600); err != nil {
		l.Fatal(err)
	}
	l.twin.Crash(l.twin.Events()).Each(1, nil, func(image []byte) bool {
		x.flash = devicetest.FromImage(image)
		return false
	})
	return x
}

// after is a start with what was left, after a kill at that time. what happens between them.
func (l *lives) after(x left, what func()) {
	l.Helper()
	l.net.down.Store(true)
	l.end() // on media that nobody looks at any more
	l.net.down.Store(false)
	l.twin, l.path = x.flash, x.witnesses
	what()
	l.begin()
}

// kill is a kill and a start.
func (l *lives) kill() {
	l.Helper()
	l.after(l.left(), func() {})
}

// network may be down.
type network struct {
	nfs.FileSystem
	down atomic.Bool
}

func (n *network) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if n.down.Load() {
		return nfs.ErrAway
	}
	return n.FileSystem.Do(ctx, c, p, a, r)
}

// blocks are the content of so many blocks, each another one.
func blocks(version byte, n int) []byte {
	p := of(version, n*cachecore.BlockSize)
	for i := range n {
		p[i*cachecore.BlockSize] = byte(i)
	}
	return p
}

// cold empties the RAM of a file.
func (l *lives) cold(h nfs.Handle) {
	n := l.export.table.find(h)
	n.mu.Lock()
	defer n.mu.Unlock()
	l.ram.Drop(n.mu.object, 0, 1<<30)
}

// read reads a file, in pieces: of a piece that flash has in part the array may be asked for all.
func (l *lives) read(h nfs.Handle) (content []byte) {
	l.Helper()
	const piece = 4 * cachecore.BlockSize
	for {
		got := l.root.Read(h, uint64(len(content)), piece)
		content = append(content, got.Data...)
		if got.Status != nfs.OK {
			l.Fatal(got.Status)
		}
		if got.EOF {
			return content
		}
	}
}

// expect compares a file with what is read of it.
func (l *lives) expect(h nfs.Handle, want []byte) {
	l.Helper()
	got := l.read(h)
	if !bytes.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				l.Fatalf("%d bytes, not %d; from %d on it is %q, not %q", len(got), len(want), i, got[i], want[i])
			}
		}
		l.Fatalf("%d bytes, not %d", len(got), len(want))
	}
}

// asked is how many bytes the array is asked for by f.
func (l *lives) asked(f func()) int {
	return (&rig{mem: l.mem}).bytesAsked(f)
}

// cache has flash take a file.
func (l *lives) cache(h nfs.Handle) {
	l.Helper()
	l.read(h)
	time.Sleep(grain + roundEvery) // until flash takes it
	for range 20 {
		l.cold(h)
		if l.asked(func() { l.read(h) }) < rights {
			return
		}
		synctest.Wait() // its buffers are written
	}
	l.Fatal("flash has not taken it")
}

// prove waits until there is a witness of all that was cached.
func (l *lives) prove(want int) {
	l.Helper()
	time.Sleep(quiet + 2*roundEvery)
	synctest.Wait()
	if n := l.witnesses.Count(); n != want {
		l.Fatalf("%d witnesses, not %d", n, want)
	}
}

// isWarm says whether a file is read without asking the array, but for the right to.
func (l *lives) isWarm(h nfs.Handle, want []byte) bool {
	l.Helper()
	return l.asked(func() { l.expect(h, want) }) < rights
}

// rights is more than the bytes that are read to see whether a user may.
const rights = 1000
