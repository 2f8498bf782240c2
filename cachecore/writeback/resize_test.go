package writeback

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/writelog"
)

// objects is an array of objects of so many blocks. It has nothing of one behind its end, which it doesn't keep: that is what zeros stand for.
type objects struct{ *arraytest.Mem }

const objectBlocks = 8

func (objects) Stretch() int64 { return objectBlocks * blk }

func (o objects) Resize(ctx context.Context, end int64) error {
	next := (end/o.Stretch() + 1) * o.Stretch()
	return o.WriteZeroes(ctx, end, next-end, false)
}

func ofObjects(o *Options) { o.Array = objects{o.Array.(*arraytest.Mem)} }

func noDirect(context.Context) error { return errors.New("the array is asked") }

// An array of objects goes from one state of the client to the next, whatever ends are set in between.
func TestB1_EndsOfObjectsAreCarriedInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Back, ofObjects)
		m := &model{T: rt, rig: r, states: map[cachecore.Seq][]byte{0: of(0, modelBlocks*blk)}, now: of(0, modelBlocks*blk)}
		rt.Repeat(map[string]func(*rapid.T){
			"write":   m.write,
			"resize":  m.resize,
			"carry":   m.carry,
			"cut off": m.cutOff,
			"restart": func(*rapid.T) { r.restart(Back, ofObjects) },
			"":        m.check,
		})
	})
}

func (m *model) resize(t *rapid.T) {
	end := int64(rapid.IntRange(0, modelBlocks*blk-1).Draw(t, "end"))
	next := (end/(objectBlocks*blk) + 1) * objectBlocks * blk
	if err := m.rig.Resize(t.Context(), end/512*512, next-end/512*512, noDirect); err != nil {
		t.Fatal(err)
	}
	clear(m.now[end/512*512 : next])
	m.done()
}

// An array that has no objects has no ends of them, and a record of one that the log has by mistake does no harm.
func TestAnArrayWithoutObjectsHasNoEnds(t *testing.T) {
	r := newRig(t, Back)
	if err := r.Resize(t.Context(), 0, 0, noDirect); !errors.Is(err, cachecore.ErrUnsupported) {
		t.Error(err)
	}
	r.Recover(writelog.Record{Kind: writelog.Resize, Epoch: 1, Seq: 1, Off: 0, Len: blk}, 0)
	r.write(0, of('a', blk))
	r.run()
	r.settled()
	r.onArray(0, of('a', blk))
}

// apart refuses a transfer that is of two objects.
type apart struct{ objects }

func (a apart) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	if first, last := off/a.Stretch(), (off+int64(len(p))-1)/a.Stretch(); first != last {
		return fmt.Errorf("%d bytes at %d are of objects %d to %d", len(p), off, first, last)
	}
	return a.objects.WriteAt(ctx, p, off, o)
}

// The last address of an object and the first of the next are neighbours, and nothing else of theirs is.
func TestNoTransferIsOfTwoObjects(t *testing.T) {
	const end = objectBlocks * blk
	r := newRig(t, Back, func(o *Options) { o.Array = apart{objects{o.Array.(*arraytest.Mem)}} })
	r.write(end-2*blk, of('a', 2*blk))
	r.write(end, of('b', blk))
	r.run()
	r.settled()
	r.onArray(end-2*blk, append(of('a', 2*blk), of('b', blk)...))
}
