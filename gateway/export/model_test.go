package export

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Whatever is done through an export, and behind its back where nothing is taken for true, it shows what the array has.
func TestAnExportShowsWhatTheArrayHas(t *testing.T) {
	for name, cache := range map[string]time.Duration{"remembering": time.Hour, "not remembering": 0} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				r := newRig(t, func(o *Options) {
					o.AttributeCache, o.Nodes, o.ReadAhead = cache, rapid.IntRange(16, 64).Draw(rt, "nodes"), 64<<10
				})
				m := &model{T: rt, mem: r.mem, dirs: []nfs.Handle{r.mem.Root()}, behind: cache == 0}
				m.through, m.direct = nfstest.User{T: rt, FS: client{r.export}}, nfstest.User{T: rt, FS: r.mem}
				for range rapid.IntRange(1, 40).Draw(rt, "steps") {
					m.step()
					m.check()
				}
			})
		})
	}
}

// model does things to an export and knows the handles that there were.
type model struct {
	*rapid.T
	mem             *nfstest.Mem
	through, direct nfstest.User
	behind          bool
	files, dirs     []nfs.Handle
}

var modelNames = []string{"a", "b", "c"}

func (m *model) name() string     { return rapid.SampledFrom(modelNames).Draw(m.T, "name") }
func (m *model) dir() nfs.Handle  { return rapid.SampledFrom(m.dirs).Draw(m.T, "directory") }
func (m *model) offset() uint64   { return uint64(rapid.IntRange(0, 20000).Draw(m.T, "offset")) }
func (m *model) length() int      { return rapid.IntRange(1, 12000).Draw(m.T, "length") }
func (m *model) content() []byte  { return of(rapid.Byte().Draw(m.T, "content"), m.length()) }
func (m *model) file() nfs.Handle { return rapid.SampledFrom(m.files).Draw(m.T, "file") }
func (m *model) user() nfstest.User {
	if m.behind && rapid.IntRange(0, 3).Draw(m.T, "behind") == 0 {
		return m.direct
	}
	return m.through
}

func (m *model) step() {
	u := m.user()
	steps := []func(){
		func() { m.made(&m.files, u.Create(m.dir(), m.name(), 0o644)) },
		func() {
			m.made(&m.files, u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: m.dir(), Name: m.name()}, Attr: nfs.SetAttr{Size: nfs.Some(m.offset())}}))
		},
		func() { m.made(&m.dirs, u.Mkdir(m.dir(), m.name(), 0o755)) },
		func() { u.Remove(m.dir(), m.name()) },
		func() { u.Rmdir(m.dir(), m.name()) },
		func() { u.Rename(m.dir(), m.name(), m.dir(), m.name()) },
		func() { m.through.Lookup(m.dir(), m.name()) },
	}
	if len(m.files) > 0 {
		steps = append(steps,
			func() { u.Write(m.file(), m.offset(), nfs.FileSync, m.content()) },
			func() { u.Write(m.file(), m.offset(), nfs.Unstable, m.content()) },
			func() { u.Truncate(m.file(), m.offset()) },
			func() { u.Chmod(m.file(), rapid.SampledFrom([]uint32{0o600, 0o644}).Draw(m.T, "mode")) },
			func() { u.Link(m.file(), m.dir(), m.name()) },
			func() { u.Commit(m.file()) },
			func() { m.through.As(1, 1).Read(m.file(), m.offset(), uint32(m.length())) },
			func() { m.through.Access(m.file(), nfs.AccessRead) },
		)
	}
	rapid.SampledFrom(steps).Draw(m.T, "step")()
}

func (m *model) made(list *[]nfs.Handle, r nfs.CreateResult) {
	if r.Status == nfs.OK {
		*list = append(*list, r.Object.Value)
	}
}

// check compares a few things with what the array says itself, for users who may and for such who may not.
func (m *model) check() {
	for _, h := range append(m.files, m.dirs...) {
		if got, want := m.through.GetAttr(h), m.direct.GetAttr(h); got != want {
			m.Fatalf("GETATTR: %+v, want %+v", got, want)
		}
	}
	for _, dir := range m.dirs {
		for _, name := range modelNames {
			got, want := m.through.Lookup(dir, name), m.direct.Lookup(dir, name)
			if got.Status != want.Status || !bytes.Equal(got.Object, want.Object) {
				m.Fatalf("LOOKUP: %+v, want %+v", got, want)
			}
		}
	}
	for _, h := range m.files {
		off, n := m.offset(), uint32(m.length())
		for _, user := range []uint32{0, 1} {
			got, want := m.through.As(user, user).Read(h, off, n), m.direct.As(user, user).Read(h, off, n)
			if fmt.Sprint(got.Status, got.Count, got.EOF) != fmt.Sprint(want.Status, want.Count, want.EOF) || !bytes.Equal(got.Data, want.Data) {
				m.Fatalf("READ of %d at %d by %d: %v %d %v, want %v %d %v", n, off, user, got.Status, got.Count, got.EOF, want.Status, want.Count, want.EOF)
			}
		}
	}
}
