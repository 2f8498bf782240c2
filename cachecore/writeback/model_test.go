package writeback

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestAWriteBackArrayIsAnArray(t *testing.T) {
	for _, m := range []Mode{Back, Through} {
		t.Run(m.String(), func(t *testing.T) {
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				r := newRig(t, m)
				r.run()
				return r
			})
		})
	}
}

const modelBlocks = 24

// Whatever happens, what is read is what was acknowledged last, in the next life too; and after each interval the array has, durably, a state that
// the client could have seen: the one after the interval's last record.
func TestB1_TheArrayGoesFromOneStateOfTheClientToTheNext(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Back)
		m := &model{T: rt, rig: r, states: map[cachecore.Seq][]byte{0: of(0, modelBlocks*blk)}, now: of(0, modelBlocks*blk)}
		rt.Repeat(map[string]func(*rapid.T){
			"write":   m.write,
			"zero":    m.zero,
			"carry":   m.carry,
			"cut off": m.cutOff,
			"restart": func(*rapid.T) { r.restart(Back) },
			"":        m.check,
		})
	})
}

type model struct {
	*rapid.T
	rig    *rig
	states map[cachecore.Seq][]byte // after each record
	now    []byte
}

func (m *model) extent() (off, n int64) {
	off = int64(rapid.IntRange(0, modelBlocks*8-1).Draw(m.T, "from"))
	n = int64(rapid.IntRange(1, modelBlocks*8-int(off)).Draw(m.T, "sectors"))
	return off * 512, n * 512
}

func (m *model) done() { m.states[m.rig.mu.seq] = bytes.Clone(m.now) }

func (m *model) write(t *rapid.T) {
	off, n := m.extent()
	n = min(n, int64(rapid.IntRange(1, 24).Draw(t, "at most"))*512)
	p := of(rapid.Byte().Draw(t, "content"), int(n))
	m.rig.write(off, p)
	copy(m.now[off:], p)
	m.done()
}

func (m *model) zero(t *rapid.T) {
	off, n := m.extent()
	if err := m.rig.WriteZeroes(t.Context(), off, n, rapid.Bool().Draw(t, "unmap")); err != nil {
		t.Fatal(err)
	}
	clear(m.now[off : off+n])
	m.done()
}

// carry carries the next interval; the array loses what it wasn't asked to flush.
func (m *model) carry(t *rapid.T) {
	r := m.rig
	r.mu.Lock()
	r.closeOpen()
	iv := r.mu.intervals[0]
	r.mu.Unlock()
	if !iv.closed {
		return
	}
	if !r.carry(t.Context(), iv) {
		t.Fatal("not carried")
	}
	r.mem.Crash(func(int64) bool { return false })
	m.expect("after record", m.states[iv.upto])
}

func (m *model) expect(what string, want []byte) {
	got := make([]byte, len(want))
	if err := m.rig.mem.ReadAt(m.Context(), got, 0); err != nil {
		m.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		m.Fatalf("%s: the array is in a state that the client has not seen", what)
	}
}

// cutOff fails an attempt to carry somewhere, after which the array loses some of what it has answered.
func (m *model) cutOff(t *rapid.T) {
	r := m.rig
	r.mu.Lock()
	r.closeOpen()
	iv := r.mu.intervals[0]
	r.mu.Unlock()
	if !iv.closed {
		return
	}
	var left atomic.Int64 // calls
	left.Store(int64(rapid.IntRange(0, 8).Draw(t, "calls")))
	r.mem.Intercept(func(context.Context, arraytest.Op, arraytest.Stage) error {
		if left.Add(-1) < 0 {
			return cachecore.ErrUnavailable
		}
		return nil
	})
	_ = r.destage(t.Context(), iv)
	r.mem.Intercept(nil)
	keep := rapid.Uint64().Draw(t, "kept")
	r.mem.Crash(func(b int64) bool { return keep>>(uint64(b)%64)&1 == 1 })
}

func (m *model) check(*rapid.T) { m.rig.expect(0, m.now) }
