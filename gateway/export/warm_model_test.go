package export

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Whatever this gateway and others do to files, and however lives of the gateway and the filer end: what is read is what the filer has.
func TestWhatIsReadIsWhatTheFilerHasInAllLives(t *testing.T) {
	warm := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inLives(t, func(l *lives) {
				l.change = func(o *Options) { o.AttributeCache = 0 }
				l.restart()
				m := &warmModel{lives: l, Rand: rand.New(rand.NewPCG(seed, 1)), names: []string{"a", "b", "c"}}
				for i, name := range m.names {
					m.mem.Put(name, blocks(byte('a'+i), fileBlocks))
				}
				for range 120 {
					m.step()
				}
				warm += m.warm
			})
		})
	}
	if warm < 8 {
		t.Errorf("only %d reads after a restart were answered by flash", warm)
	}
}

type warmModel struct {
	*lives
	*rand.Rand
	names []string
	warm  int
}

func (m *warmModel) step() {
	name := m.names[m.IntN(len(m.names))]
	h := m.mem.Find(name)
	others := nfstest.User{T: m.T, FS: m.mem}
	stable := []nfs.Stable{nfs.Unstable, nfs.FileSync}[m.IntN(2)]
	at, data := uint64(m.IntN(fileBlocks*4096)), of(byte(m.IntN(256)), 1+m.IntN(9000))
	switch x := m.IntN(40); {
	case x < 12:
		m.check(name)
	case x < 16: // until flash has it
		for range 4 {
			m.check(name)
			m.cold(h)
		}
	case x < 19:
		time.Sleep(time.Duration(m.IntN(3000)) * time.Millisecond)
	case x < 22:
		time.Sleep(quiet + time.Duration(m.IntN(3000))*time.Millisecond)
	case x < 25:
		m.root.Write(h, at, stable, data)
	case x < 26:
		m.root.Truncate(h, at)
	case x < 27:
		m.root.Chmod(h, uint32(0o600+m.IntN(0o100)))
	case x < 28:
		m.root.Rename(m.mem.Root(), name, m.mem.Root(), name+"'")
		m.root.Rename(m.mem.Root(), name+"'", m.mem.Root(), name)
	case x < 29:
		m.root.Commit(h)
	case x < 31:
		others.Write(h, at, stable, data)
	case x < 32: // which is told by who asks the filer
		m.mem.Restart()
		m.export.Drop()
	case x < 33:
		if err := m.export.Forget(context.Background()); err != nil {
			m.Fatal(err)
		}
	default:
		m.die(x)
	}
}

// die is an end, and a start.
func (m *warmModel) die(x int) {
	switch {
	case x < 36:
		m.restart()
	case x < 38:
		m.kill()
	default:
		m.after(m.left(), m.mem.Restart)
	}
	for _, name := range m.names {
		if m.asked(func() { m.check(name) }) < rights && len(m.mem.Get(name)) > 0 {
			m.warm++
		}
	}
}

func (m *warmModel) check(name string) {
	m.Helper()
	got := m.read(m.mem.Find(name))
	if want := m.mem.Get(name); !bytes.Equal(got, want) {
		m.Fatalf("%s: %d bytes that are others than the %d of the filer", name, len(got), len(want))
	}
}
