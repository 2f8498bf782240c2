package volume

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// model is a volume beside the plain bytes that it should hold. One call at a time.
type model struct {
	*rig
	want []byte
	unit int64 // the logical block

	mu    sync.Mutex // fills may outlive the read that failed
	fault *fault     // nil: none is to come

	pinned []pinned
}

// fault fails one operation of the array that changes it, or one that reads.
type fault struct {
	reads bool
	at    arraytest.Stage
	err   error
}

// pinned is a read whose sink has not been released, and what it should hold until it is.
type pinned struct {
	*collected
	want []byte
}

const longest = 40 * blk // of a model's call

// arrays are the kinds that a volume meets.
var arrays = map[string]wishes{
	"thin":        {info: cachecore.ArrayInfo{Size: 100*blk + 3*512, Thin: true, UnmapZeroes: true}},
	"4K":          {info: cachecore.ArrayInfo{Size: 60 * blk, LogicalBlock: 4096, Thin: true}},
	"write cache": {info: cachecore.ArrayInfo{Size: 33*blk + 512, WriteCache: true}, array: plain},
	"unable": {info: cachecore.ArrayInfo{Size: 64 * blk, Thin: true, UnmapZeroes: true},
		array: func(m *arraytest.Mem) cachecore.Array { return unable{m} }},
}

// unable is an array that says that it can unmap and zero, and then can't.
type unable struct{ *arraytest.Mem }

func (unable) Unmap(context.Context, int64, int64) error { return cachecore.ErrUnsupported }
func (unable) WriteZeroes(context.Context, int64, int64, bool) error {
	return cachecore.ErrUnsupported
}

func newModel(t *rapid.T, w wishes) *model {
	w.blocks = rapid.SampledFrom([]int{16, 24, 64, 1024}).Draw(t, "slots")
	w.o.SequentialBypass = rapid.SampledFrom([]int64{-1, 256 * kib}).Draw(t, "bypass")
	m := &model{rig: newRig(t, w)}
	info := m.mem.Info()
	m.unit, m.want = int64(info.LogicalBlock), make([]byte, info.Size)
	m.intercept(m.fail)
	m.someoneElseWrites(0, m.draw(t, int(info.Size)))
	return m
}

func (m *model) draw(t *rapid.T, n int) []byte {
	p := make([]byte, n)
	for seed, i := rapid.Byte().Draw(t, "content"), 0; i < n; i++ {
		p[i] = seed + byte(i/512)
	}
	return p
}

func (m *model) span(t *rapid.T) (off, n int64) {
	units := int64(len(m.want)) / m.unit
	off = rapid.Int64Range(0, units-1).Draw(t, "at")
	n = rapid.Int64Range(1, min(units-off, longest/m.unit)).Draw(t, "n")
	return off * m.unit, n * m.unit
}

// arm draws a fault, or none mostly.
func (m *model) arm(t *rapid.T, reads bool) *fault {
	f := rapid.SampledFrom([]*fault{nil, nil, nil, nil, nil, nil,
		{reads, arraytest.Before, errors.New("medium error")},
		{reads, arraytest.After, errors.New("medium error")},
		{reads, arraytest.Before, cachecore.ErrUnavailable},
		{reads, arraytest.Before, cachecore.ErrUnknownOutcome},
		{reads, arraytest.After, cachecore.ErrUnknownOutcome},
		{reads, arraytest.Before, cachecore.ErrNoSpace},
	}).Draw(t, "fault")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
	return f
}

func (m *model) fail(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.fault
	if f == nil || f.at != at || f.reads != (op.Kind == arraytest.Read) {
		return nil
	}
	m.fault = nil
	return f.err
}

// disarm says whether the fault has come.
func (m *model) disarm() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	came := m.fault == nil
	m.fault = nil
	return came
}

// changes makes a call that should leave content in the range, if it succeeds or fails afterwards.
func (m *model) changes(t *rapid.T, off int64, content []byte, call func() error) {
	f := m.arm(t, false)
	err := call()
	came := m.disarm()
	switch {
	case f == nil || !came:
		if err != nil {
			t.Fatal(err)
		}
	case !errors.Is(err, f.err):
		t.Fatalf("%v, should be %v", err, f.err)
	case f.at == arraytest.Before:
		return
	}
	copy(m.want[off:], content)
}

func (m *model) someoneElseWrites(off int64, p []byte) {
	m.disarm()
	m.onArray(p, off)
	copy(m.want[off:], p)
}

// reads reads with a fault, perhaps; the sink is released, or kept for a while.
func (m *model) reads(t *rapid.T, off, n int64, keep bool) {
	f := m.arm(t, true)
	c := &collected{}
	err := m.Read(context.Background(), c, off, int(n))
	m.disarm()
	switch {
	case err == nil:
		if !bytes.Equal(c.bytes(), m.want[off:off+n]) {
			t.Fatalf("other bytes at %d+%d", off, n)
		}
	case f == nil || !errors.Is(err, f.err):
		t.Fatal(err)
	case len(c.parts) != 0:
		t.Fatal("a read that failed appended to its sink")
	}
	if keep {
		m.pinned = append(m.pinned, pinned{c, c.bytes()})
	} else {
		c.release()
	}
}

func (m *model) unpin(t *rapid.T) {
	for _, p := range m.pinned {
		if !bytes.Equal(p.bytes(), p.want) {
			t.Fatal("pinned bytes have changed")
		}
		p.release()
	}
	m.pinned = nil
}

// A volume is its array, whatever is cached, fails, is dropped, evicted or grows.
func TestAVolumeAgreesWithPlainBytes(t *testing.T) {
	for name, w := range arrays {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, w)
				t.Repeat(m.calls())
				m.unpin(t)
				whole := make([]byte, len(m.want))
				if err := m.mem.ReadAt(context.Background(), whole, 0); err != nil || !bytes.Equal(whole, m.want) {
					t.Fatalf("the array has other bytes (%v)", err)
				}
			})
		})
	}
}

func (m *model) calls() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"read": func(t *rapid.T) {
			off, n := m.span(t)
			m.reads(t, off, n, false)
		},
		"pin": func(t *rapid.T) {
			off, n := m.span(t)
			if len(m.pinned) < 3 {
				m.reads(t, off, min(n, 4*blk), true)
			}
		},
		"unpin": m.unpin,
		"write": func(t *rapid.T) {
			off, n := m.span(t)
			p := m.draw(t, int(n))
			m.changes(t, off, p, func() error { return m.Write(ctx, p, off, rapid.Bool().Draw(t, "fua")) })
		},
		"zero": func(t *rapid.T) {
			off, n := m.span(t)
			m.changes(t, off, make([]byte, n), func() error { return m.WriteZeroes(ctx, off, n) })
		},
		"discard to zeros": func(t *rapid.T) {
			off, n := m.span(t)
			m.changes(t, off, make([]byte, n), func() error { return m.Discard(ctx, off, n, true) })
		},
		"discard": func(t *rapid.T) {
			off, n := m.span(t)
			if err := m.Discard(ctx, off, n, false); err != nil {
				t.Fatal(err)
			}
			if err := m.mem.ReadAt(ctx, m.want[off:off+n], off); err != nil { // it is what the array makes of it
				t.Fatal(err)
			}
		},
		"flush": func(t *rapid.T) {
			if err := m.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		},
		"drop": func(t *rapid.T) {
			off, n := m.span(t)
			m.someoneElseWrites(off, m.draw(t, int(n)))
			m.Drop()
		},
		"grow": func(t *rapid.T) {
			old := int64(len(m.want))
			more := rapid.Int64Range(1, 20).Draw(t, "units") * m.unit
			if old+more > 300*blk {
				return
			}
			m.mem.Grow(old + more)
			m.want = append(m.want, make([]byte, more)...)
			m.someoneElseWrites(old, m.draw(t, int(more)))
		},
		"": func(t *rapid.T) {
			off, n := m.span(t)
			if got := m.now(off, int(n)); got != nil && !bytes.Equal(got, m.want[off:off+n]) {
				t.Fatalf("the cache has other bytes at %d+%d", off, n)
			}
		},
	}
}
