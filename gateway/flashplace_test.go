package gateway

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	drive "forebay/cachecore/device"
	"forebay/configs"
)

// back has the volume written back, as an operator does.
func (x *ended) back() {
	x.t.Helper()
	if err := x.g.SetWrite(x.t.Context(), "vol1", configs.WriteBack); err != nil {
		x.t.Fatal(err)
	}
}

// A place in the flash that had the log is for reads only once nothing is in it.
func TestTheLogsPlaceBecomesOneForReadsOnlyWhenItIsEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		was    configs.Size
		change func(*ended)
	}{
		"a log of its own":                   {endSize, (*ended).withLog},
		"a log of its own, the notes gone":   {endSize, func(x *ended) { x.withLog(); os.Remove(filepath.Join(x.dir, "flash.json")) }},
		"a log of its own and another size":  {endSize, func(x *ended) { x.withLog(); x.resized(600 * mib) }},
		"larger":                             {endSize, func(x *ended) { x.resized(1024 * mib) }},
		"too small for a log":                {endSize, func(x *ended) { x.resized(256 * mib); x.write = configs.WriteThrough }},
		"smaller, with room for another log": {640 * mib, func(x *ended) { x.resized(endSize) }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.resized(c.was)
			x.start()
			x.acknowledge(42)
			x.end()
			tier, write := x.tier, x.write
			c.change(x)
			changed := *x
			err := x.try()
			if !errors.Is(err, errLogLeft) {
				t.Fatalf("with acknowledged writes: %v", err)
			}
			says(t, err, "--write through", tier.Flash.Path)
			x.tier, x.write = tier, write
			x.start()
			x.expect(42)
			x.drained()
			x.end()
			x.tier, x.write = changed.tier, changed.write
			x.start()
			defer x.end()
			if x.hasLog(int64(c.was)) {
				t.Error("the old log is still there, in a place for reads")
			}
			p := make([]byte, cachecore.BlockSize)
			if err := x.mem.ReadAt(t.Context(), p, 0); err != nil || p[0] != 42 {
				t.Errorf("the array has %d (%v)", p[0], err)
			}
			if s := x.pool.flash.status(); s.State != flashOK {
				t.Errorf("%+v", s)
			}
		})
	}
}

// An empty log that volumes are still written back to, by their records, stays too: with another one they would be offline.
func TestAnEmptyLogInTheFlashStaysWhileVolumesCountOnIt(t *testing.T) {
	x := newEnded(t)
	x.start()
	x.end()
	x.withLog()
	err := x.try()
	if !errors.Is(err, errLogLeft) {
		t.Fatal(err)
	}
	says(t, err, "still written back to it")
	x.tier.Log = nil
	x.start()
	x.drained()
	x.end()
	x.withLog()
	x.start()
	defer x.end()
	if x.disk.back.offline() != "" {
		t.Error(x.disk.back.offline())
	}
}

// A flash that was for reads as a whole gives its end to the log; what others have in theirs is left alone.
func TestAFlashThatWasForReadsAsAWholeGivesItsEnd(t *testing.T) {
	x := newEnded(t)
	junk := func(path string, head int) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(bytes.Repeat([]byte{7}, 2*mib), endSize-64*mib)
		if head > 0 {
			_, err = f.WriteAt(bytes.Repeat([]byte("others"), head), 0)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	x.withLog()
	x.start()
	if got := x.pool.flash.current().Stats().Bytes; got <= endSize-64*mib {
		t.Errorf("with a log besides the flash has %d bytes for reads", got)
	}
	x.drained()
	x.end()
	junk(x.tier.Flash.Path, 0) // what is cached
	x.tier.Log = nil
	x.start()
	x.back()
	x.acknowledge(42)
	if got := x.pool.flash.current().Stats().Bytes; got > endSize-64*mib {
		t.Errorf("with the log in it the flash has %d bytes for reads", got)
	}
	x.end()
	x.start()
	x.expect(42)
	x.end()

	x = newEnded(t)
	d, err := drive.Open(drive.Options{Path: x.tier.Flash.Path, Size: endSize, Sparse: true})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	junk(x.tier.Flash.Path, 1000)
	if err := x.try(); !errors.Is(err, errNotVacant) {
		t.Errorf("over others' data: %v", err)
	}
	p := make([]byte, mib)
	f, err := os.Open(x.tier.Flash.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(p, endSize-64*mib); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{7}, mib)) {
		t.Errorf("others' data has changed (%v)", err)
	}
}

// place is what the flash has where its log begins.
func (x *ended) place() []byte {
	x.t.Helper()
	f, err := os.Open(x.tier.Flash.Path)
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 2*mib)
	if _, err := f.ReadAt(p, endSize-64*mib); err != nil {
		x.t.Fatal(err)
	}
	return p
}

// The log goes from the flash to a medium of its own, and back to a place that has been for reads meanwhile.
func TestTheLogComesBackToTheFlash(t *testing.T) {
	x := newEnded(t)
	x.start()
	x.drained()
	x.end()
	x.withLog()
	x.start()
	x.end()
	x.spoil(endSize-64*mib, 2*mib) // what is cached
	x.tier.Log = nil
	x.start()
	x.back()
	x.acknowledge(42)
	x.end()
	x.start()
	defer x.end()
	x.expect(42)
}
