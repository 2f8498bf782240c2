package writeback

import (
	"errors"
	"testing"

	"forebay/cachecore/writelog"
)

func (r *rig) launch(off int64, p []byte) <-chan error {
	r.t.Helper()
	outcome := make(chan error, 1)
	if !r.Launchable(len(p)) || !r.Launch(p, off, func(err error) { outcome <- err }) {
		r.t.Fatal("not taken")
	}
	return outcome
}

func TestALaunchedWriteIsReadWhenItIsToldAndCarried(t *testing.T) {
	r := newRig(t, Back)
	first, second := r.launch(0, of('a', 2*blk)), r.launch(512, of('b', 512))
	r.Kick()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	want := append(append(of('a', 512), of('b', 512)...), of('a', 2*blk-1024)...)
	r.expect(0, want)
	r.run()
	r.settled()
	r.onArray(0, want)
}

func TestNothingIsLaunchedWhereWritesWaitOrAreNotLogged(t *testing.T) {
	told := func(error) { t.Error("told") }
	through := newRig(t, Through)
	if through.Launchable(blk) || through.Launch(of('a', blk), 0, told) {
		t.Error("in write-through")
	}
	if through.mu.direct != 0 {
		t.Error("it is taken for a write at the array")
	}
	full := newRig(t, Back)
	full.log.capacity = 4 * blk
	full.write(0, of('a', 3*blk))
	if full.Launchable(blk) {
		t.Error("where writes are paced")
	}
	r := newRig(t, Back)
	if r.Launchable(int(r.log.MaxData()) + 1) {
		t.Error("more than a record takes")
	}
	for _, off := range []int64{-512, 100, 64*mib - 512} {
		if r.Launch(of('a', blk), off, told) {
			t.Errorf("at %d", off)
		}
	}
	if r.Launch(nil, 0, told) {
		t.Error("of nothing")
	}
	r.Lose(errors.New("it can't be read"))
	if r.Launch(of('a', blk), 0, told) {
		t.Error("by an array that is lost")
	}
}

func TestALaunchThatTheLogRefusesEndsIt(t *testing.T) {
	r := newRig(t, Back)
	r.log.fail = writelog.ErrFailed
	if r.Launch(of('a', blk), 0, func(error) { t.Error("told") }) {
		t.Error("taken")
	}
	if m := r.state(); m != Dead {
		t.Errorf("it goes on %s", m)
	}
}

// Of a record that the log can't write the launcher is told, and what was appended before is what there is.
func TestALaunchedWriteThatTheLogLosesIsTold(t *testing.T) {
	r := newRig(t, Back)
	r.write(0, of('a', blk))
	r.log.outcome = writelog.ErrFailed
	if err := <-r.launch(0, of('b', blk)); !errors.Is(err, writelog.ErrFailed) {
		t.Fatal(err)
	}
	r.expect(0, of('a', blk))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.mode != Dead || r.mu.backlog != blk+overhead || r.open().pending != 0 {
		t.Errorf("%v, %d bytes behind, %d pending", r.mu.mode, r.mu.backlog, r.open().pending)
	}
}
