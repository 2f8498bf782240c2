package staged

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Whatever is done, through lives of the gateway and of the filer and changes of the policy, is shown at once; times only grow; and what is drained is
// what the filer has.
func TestWhatWasAcknowledgedIsThereThroughAllLives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		change := slow
		if rapid.Bool().Draw(rt, "fast") {
			change = fast
		}
		r := newRig(t, change)
		defer r.end()
		m := &model{T: rt, rig: r, twin: nfstest.New(nfstest.Options{}), times: map[string]nfs.Time{}}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.step()
			m.check(nfstest.User{T: rt, FS: patient{r.FileSystem}})
		}
		r.drain()
		m.check(nfstest.User{T: rt, FS: r.mem})
	})
}

// patient asks again while the filer is said to be away, as the cache above does: one that restarts again and again is.
type patient struct{ nfs.FileSystem }

func (p patient) Do(ctx context.Context, c *nfs.Caller, proc nfs.Procedure, a, r nfs.Message) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := p.FileSystem.Do(ctx, c, proc, a, r)
		if !errors.Is(err, nfs.ErrAway) || time.Now().After(deadline) {
			return err
		}
		runtime.Gosched()
	}
}

// model does the same to a rig and to a twin that only knows files.
type model struct {
	*rapid.T
	rig   *rig
	twin  *nfstest.Mem
	times map[string]nfs.Time // last seen ctime, by handle
	lax   bool                // the filer's own times may be shown, whose clock is behind ours
}

const names = 4

func name(i int) string { return fmt.Sprint("file ", i) }

// both does something to both.
func (m *model) both(f func(u nfstest.User, dir nfs.Handle) nfs.Status) {
	ours := f(nfstest.User{T: m.T, FS: patient{m.rig.FileSystem}}, m.rig.mem.Root())
	theirs := f(nfstest.User{T: m.T, FS: m.twin}, m.twin.Root())
	if ours != theirs {
		m.Fatalf("%v, and without a log %v", ours, theirs)
	}
}

func (m *model) step() {
	i, j := rapid.IntRange(0, names-1).Draw(m.T, "file"), rapid.IntRange(0, names-1).Draw(m.T, "other")
	what := rapid.SampledFrom([]string{"create", "write", "write", "write", "write", "truncate", "truncate", "chmod", "empty", "remove", "rename", "link", "drain",
		"restart", "cut short", "filer", "through", "back"}).Draw(m.T, "what")
	off, size := rapid.Uint64Range(0, 20000).Draw(m.T, "offset"), rapid.IntRange(1, 9000).Draw(m.T, "size")
	on := func(f func(u nfstest.User, h nfs.Handle) nfs.Status) {
		m.both(func(u nfstest.User, dir nfs.Handle) nfs.Status {
			found := u.Lookup(dir, name(i))
			if found.Status != nfs.OK {
				return found.Status
			}
			return f(u, found.Object)
		})
	}
	switch what {
	case "create":
		m.both(func(u nfstest.User, dir nfs.Handle) nfs.Status { return u.Create(dir, name(i), 0o644).Status })
	case "write":
		data := bytes.Repeat([]byte{byte('a' + rapid.IntRange(0, 25).Draw(m.T, "byte"))}, size)
		on(func(u nfstest.User, h nfs.Handle) nfs.Status { return u.Write(h, off, nfs.FileSync, data).Status })
	case "truncate":
		on(func(u nfstest.User, h nfs.Handle) nfs.Status { return u.Truncate(h, off).Status })
	case "chmod":
		on(func(u nfstest.User, h nfs.Handle) nfs.Status { return u.Chmod(h, uint32(size)%0o1000).Status })
	case "empty":
		m.both(func(u nfstest.User, dir nfs.Handle) nfs.Status {
			return u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: name(i)}, Attr: nfs.SetAttr{Size: nfs.Some(off % 3 * 1000)}}).Status
		})
	case "remove":
		m.both(func(u nfstest.User, dir nfs.Handle) nfs.Status { return u.Remove(dir, name(i)).Status })
	case "rename":
		m.both(func(u nfstest.User, dir nfs.Handle) nfs.Status { return u.Rename(dir, name(i), dir, name(j)).Status })
	case "link":
		on(func(u nfstest.User, h nfs.Handle) nfs.Status {
			dir := m.rig.mem.Root()
			if u.FS == nfs.FileSystem(m.twin) {
				dir = m.twin.Root()
			}
			return u.Link(h, dir, name(j)).Status
		})
	default:
		m.disturb(what)
	}
}

// disturb does what nobody may notice.
func (m *model) disturb(what string) {
	switch what {
	case "drain":
		m.rig.drain()
	case "restart":
		clear(m.times) // the filer's own are shown then
		m.rig.restart()
	case "cut short":
		clear(m.times)
		m.rig.cutShort(rapid.IntRange(0, 8).Draw(m.T, "calls"))
	case "filer":
		m.rig.mem.Restart()
	case "through", "back":
		m.rig.mode = map[string]writeback.Mode{"through": writeback.Through, "back": writeback.Back}[what]
		m.lax = true
		if err := m.rig.array.SetMode(m.rig.mode); err != nil {
			m.Fatal(err)
		}
	}
}

// check compares what a user sees with the twin.
func (m *model) check(u nfstest.User) {
	twin := nfstest.User{T: m.T, FS: m.twin}
	for i := range names {
		ours, theirs := u.Lookup(m.rig.mem.Root(), name(i)), twin.Lookup(m.twin.Root(), name(i))
		if ours.Status != theirs.Status {
			m.Fatalf("%s: %v, and without a log %v", name(i), ours.Status, theirs.Status)
		}
		if ours.Status != nfs.OK {
			continue
		}
		a, b := u.GetAttr(ours.Object).Attr, twin.GetAttr(theirs.Object).Attr
		if a.Size != b.Size || a.Nlink != b.Nlink || a.Mode != b.Mode {
			m.Fatalf("%s: %+v, and without a log %+v", name(i), a, b)
		}
		if ours.Attr.Follows && ours.Attr.Value.Size != b.Size {
			m.Fatalf("%s: a LOOKUP says %d bytes, and without a log it has %d", name(i), ours.Attr.Value.Size, b.Size)
		}
		got, want := u.Read(ours.Object, 0, 64<<10), twin.Read(theirs.Object, 0, 64<<10)
		if !bytes.Equal(got.Data, want.Data) || got.EOF != want.EOF {
			m.Fatalf("%s: %d bytes, and without a log %d, or others", name(i), len(got.Data), len(want.Data))
		}
		if u.FS != nfs.FileSystem(m.rig.mem) {
			if !m.lax && a.Ctime.Before(m.times[string(ours.Object)]) {
				m.Fatalf("%s: its ctime goes back", name(i))
			}
			m.times[string(ours.Object)] = a.Ctime
		}
	}
}
