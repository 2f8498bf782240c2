package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/cachecore/flash"
	"forebay/configs"
)

// What is acknowledged with the log in the end of the flash is there in the next life, whatever becomes of the tier for reads and of the policy.
func TestTheLogInTheFlashSurvivesWhatHappensToTheReadTier(t *testing.T) {
	for name, between := range map[string]func(*ended){
		"nothing":             func(*ended) {},
		"the policy changes":  func(x *ended) { x.write = configs.WriteThrough },
		"no size in the file": func(x *ended) { x.resized(0) },
		"the notes are gone":  func(x *ended) { os.Remove(filepath.Join(x.dir, "flash.json")) },
		"the read tier is made anew": func(x *ended) {
			x.start()
			if err := x.pool.flash.notes.setStore("fast", flash.ID{}); err != nil {
				x.t.Fatal(err)
			}
			x.end()
		},
		"it is resized and removed": func(x *ended) {
			x.start()
			if err := errors.Join(x.g.ResizeFlash(context.Background(), "fast", 64*mib), x.g.ResizeFlash(context.Background(), "fast", endSize-64*mib),
				x.g.RemoveFlash(context.Background(), "fast")); err != nil {
				x.t.Fatal(err)
			}
			x.expect(42)
			x.acknowledge(43)
			x.acknowledge(42)
			x.end()
		},
		"its first blocks rot": func(x *ended) {
			f, err := os.OpenFile(x.tier.Flash.Path, os.O_RDWR, 0)
			if err != nil {
				x.t.Fatal(err)
			}
			_, err = f.WriteAt(bytes.Repeat([]byte("rot"), 10000), 0)
			if err = errors.Join(err, f.Close()); err != nil {
				x.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			if !x.pool.log.durable || x.pool.flash.current() == nil {
				t.Fatal("no durable log, or no tier for reads")
			}
			x.acknowledge(42)
			x.end()
			between(x)
			x.start()
			defer x.end()
			x.expect(42)
		})
	}
}

// The tier for reads ends where the log begins.
func TestTheReadTierEndsWhereTheLogBegins(t *testing.T) {
	x := newEnded(t)
	x.start()
	defer x.end()
	if err := x.g.ResizeFlash(context.Background(), "fast", endSize-64*mib+4096); err == nil {
		t.Error("resized over the log")
	}
	if got := x.pool.flash.current().Stats().Bytes; got > endSize-64*mib {
		t.Errorf("it has %d bytes", got)
	}
	if got := x.pool.log.medium.Size(); got != 64*mib {
		t.Errorf("the log has %d bytes", got)
	}
	var st unix.Stat_t
	if err := unix.Stat(x.tier.Flash.Path, &st); err != nil || st.Blocks*512 < 64*mib {
		t.Errorf("%d bytes of the file are allocated (%v)", st.Blocks*512, err)
	}
}

// A flash that can't be opened is done without, if no volume is promised more; what has acknowledged writes in its log is offline meanwhile.
func TestAFlashThatCannotBeOpenedIsDoneWithoutUnlessItsLogIsPromised(t *testing.T) {
	hide := func(x *ended) {
		if err := errors.Join(os.Rename(x.tier.Flash.Path, x.tier.Flash.Path+".away"), os.Mkdir(x.tier.Flash.Path, 0o700)); err != nil {
			x.t.Fatal(err)
		}
	}
	show := func(x *ended) {
		if err := errors.Join(os.Remove(x.tier.Flash.Path), os.Rename(x.tier.Flash.Path+".away", x.tier.Flash.Path)); err != nil {
			x.t.Fatal(err)
		}
	}
	through := func(x *ended) { x.end(); x.write = configs.WriteThrough; x.start() }
	for name, c := range map[string]struct {
		before           func(*ended) // the life before
		write            string       // what is configured then
		refused, offline bool
	}{
		"a volume is to be written back": {before: func(*ended) {}, write: configs.WriteBack, refused: true},
		"a volume has been":              {before: func(x *ended) { x.acknowledge(42) }, write: configs.WriteThrough, offline: true},
		"none has been":                  {before: func(x *ended) { x.drained(); through(x) }, write: configs.WriteThrough},
		"an operator had it written back": {before: func(x *ended) { x.drained(); through(x); x.back(); x.acknowledge(42) }, write: configs.WriteThrough,
			offline: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			c.before(x)
			x.end()
			x.write = c.write
			hide(x)
			switch err := x.try(); {
			case c.refused:
				says(t, err, "write log in the end of the flash", x.tier.Flash.Path)
			case err != nil:
				t.Fatal(err)
			default:
				if s := x.pool.flash.status(); s.State != flashFailed || (x.disk.back.offline() != "") != c.offline {
					t.Errorf("%+v; offline: %s", s, x.disk.back.offline())
				}
				x.end()
			}
			show(x)
			x.start()
			defer x.end()
			if x.disk.back.offline() != "" {
				t.Errorf("offline with the flash back: %s", x.disk.back.offline())
			}
			if c.offline {
				x.expect(42)
			}
		})
	}
}

// Of a flash without a size in the file the gateway sees whether it can keep the promise; one that is small has no log in it.
func TestASmallFlashHasNoLogInIt(t *testing.T) {
	x := newEnded(t)
	x.write = configs.WriteThrough
	x.resized(256 * mib)
	x.start()
	if x.pool.log != nil || x.pool.flash.current() == nil {
		t.Errorf("log %v", x.pool.log)
	}
	x.end()
	x.resized(0)
	x.write = configs.WriteBack
	says(t, x.try(), "too small", x.tier.Flash.Path, "give the tier a log")
}

// A log that is known to be there is not made anew where something else is in its place, and one that is damaged is neither that nor for reads.
func TestALogInTheFlashThatIsSpoiledIsLeftAlone(t *testing.T) {
	const from = endSize - 64*mib
	superblocks := func(x *ended) {
		for _, at := range []int64{from, from + 4096, endSize - 8192, endSize - 4096} {
			x.spoil(at+100, 12)
		}
	}
	for name, c := range map[string]struct {
		spoil  func(*ended)
		change func(*ended)
	}{
		"overwritten":                        {func(x *ended) { x.spoil(from, mib); x.spoil(endSize-mib, mib) }, func(*ended) {}},
		"damaged, with a log of its own":     {superblocks, (*ended).withLog},
		"damaged, and the flash is enlarged": {superblocks, func(x *ended) { x.resized(2 * endSize) }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newEnded(t)
			x.start()
			x.acknowledge(42)
			x.end()
			c.spoil(x)
			was := x.place()
			c.change(x)
			if err := x.try(); err == nil {
				t.Error("it starts")
				x.end()
			}
			if !bytes.Equal(x.place(), was) {
				t.Error("the place of the log is not what it was")
			}
		})
	}
}
