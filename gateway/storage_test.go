package gateway

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/cachecore/stats"
	"forebay/cachecore/volume"
	"forebay/configs"
	"forebay/protocols/scsi"
)

func TestStorageWithoutAVolumeIsNotReady(t *testing.T) {
	var s storage
	var d scsi.Data
	if s.ReadNow(&d, 0, 512) || d.Len() != 0 {
		t.Error("there is something to read")
	}
	for what, err := range map[string]error{
		"read": s.Read(t.Context(), &d, 0, 512), "write": s.Write(t.Context(), make([]byte, 512), 0, false),
		"flush": s.Flush(t.Context()), "discard": s.Discard(t.Context(), 0, 512, scsi.Unmap),
	} {
		if !errors.Is(err, scsi.ErrNotReady) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What an array answers, and what the initiator is told: never that the medium is bad or the unit gone when its transport is.
func TestArrayErrorsAsInitiatorsSeeThem(t *testing.T) {
	for _, c := range []struct {
		err         error
		read, write string
	}{
		{cachecore.ErrUnavailable, notReady, notReady},
		{fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, cachecore.ErrUnavailable), notReady, notReady},
		{cachecore.ErrNoSpace, "7/27/07", "7/27/07"},
		{cachecore.ErrReadOnly, "7/27/00", "7/27/00"},
		{cachecore.ErrUnknownOutcome, "3/11/00", "3/0c/00"},
		{errBoom, "3/11/00", "3/0c/00"},
		{context.Canceled, "TASK ABORTED", "TASK ABORTED"},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			serve(t, fail, present, func(t *testing.T, x *shelf) {
				failing := func(f func() string) string {
					x.mem.Intercept(func(_ context.Context, _ arraytest.Op, at arraytest.Stage) error { return c.err })
					defer x.plug() // it may have been taken for lost
					defer x.mem.Intercept(nil)
					return f()
				}
				wants(t, "a read", c.read, failing(func() string { return x.a.read(1) }))
				wants(t, "a write", c.write, failing(func() string { return x.a.write(1, 1) }))
				wants(t, "a flush", c.write, failing(x.a.flush))
				wants(t, "a read after it", "all 0", x.a.read(1))
			})
		})
	}
}

func TestEachDiscardAsksTheArrayForWhatItMeans(t *testing.T) {
	garbage := func(s *san) { s.mem = arraytest.NewMem(cachecore.ArrayInfo{Size: mib, Thin: true}) } // what is unmapped reads as anything
	serve(t, fail, garbage, func(t *testing.T, x *shelf) {
		for _, c := range []struct {
			mode  scsi.DiscardMode
			asked string
			unmap bool
		}{{scsi.Unmap, "unmap", false}, {scsi.UnmapZero, "zero", true}, {scsi.Zero, "zero", false}} {
			before := x.count(c.asked)
			var unmap bool
			x.mem.Intercept(func(_ context.Context, op arraytest.Op, _ arraytest.Stage) error {
				unmap = op.Unmap
				return nil
			})
			if err := x.storage.Discard(t.Context(), 0, cachecore.BlockSize, c.mode); err != nil || x.count(c.asked) != before+1 || unmap != c.unmap {
				t.Errorf("mode %d: %v, %d times asked to %s, with unmap: %v", c.mode, err, x.count(c.asked)-before, c.asked, unmap)
			}
		}
	})
}

// launching is an array that takes writes without having their callers wait, and fails them.
type launching struct {
	*arraytest.Mem
	err error
}

func (launching) Launchable(int) bool { return true }

func (l launching) Launch(_ []byte, _ int64, done func(error)) bool {
	go done(l.err)
	return true
}

func (launching) Kick() {}

func (l launching) WriteAt(context.Context, []byte, int64, cachecore.WriteOptions) error {
	return l.err
}

// What nobody waits for is told in the same words.
func TestALaunchedWriteThatFailsIsToldAsAnyOther(t *testing.T) {
	p, err := newPool(configs.Tier{Pool: "fast", RAM: mib}, false, newLines(t).logger())
	if err != nil {
		t.Fatal(err)
	}
	for array, want := range map[error]error{
		cachecore.ErrNoSpace: scsi.ErrNoSpace, cachecore.ErrReadOnly: scsi.ErrWriteProtected, cachecore.ErrUnavailable: scsi.ErrNotReady, errBoom: errBoom,
	} {
		var s storage
		s.volume.Store(volume.New(volume.Options{Object: 1, Array: launching{arraytest.NewMem(cachecore.ArrayInfo{Size: mib}), array}, Store: p.store,
			Buffers: p.buffers, Stats: new(stats.Volume)}))
		answer := make(chan error, 1)
		if !s.LaunchWrite(t.Context(), make([]byte, cachecore.BlockSize), 0, func(err error) { answer <- err }) {
			t.Fatal("it is not launched")
		}
		if err := <-answer; !errors.Is(err, want) {
			t.Errorf("%v is told as %v", array, err)
		}
		if err := s.volume.Load().Close(t.Context()); err != nil && !errors.Is(err, array) {
			t.Error(err)
		}
	}
	if err := p.close(t.Context()); err != nil {
		t.Error(err)
	}
}
