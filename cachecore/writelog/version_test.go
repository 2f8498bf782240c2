package writelog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// newer makes a superblock of an image one of the next version of the format.
func newer(image []byte, unit int64) {
	b := image[unit*device.Unit:]
	binary.LittleEndian.PutUint16(b[8:], writelog.Version+1)
	writelog.ResealSuperblock(b)
}

// A log of a newer format is said to be that, whichever copies of its superblock can be read, and not taken for none: who formats what has none would
// give it up.
func TestALogOfANewerVersionIsRefusedAndLeftAsItIs(t *testing.T) {
	image, _ := history(t)
	end := int64(len(image)) / device.Unit
	all := []int64{0, 1, end - 2, end - 1}
	for name, hit := range map[string]struct{ newer, rotten []int64 }{
		"all copies": {newer: all}, "two of them": {newer: all[2:], rotten: all[:2]}, "one of them": {newer: all[1:2], rotten: []int64{0, end - 2, end - 1}},
	} {
		t.Run(name, func(t *testing.T) {
			work := bytes.Clone(image)
			for _, unit := range hit.newer {
				newer(work, unit)
			}
			for _, unit := range hit.rotten {
				work[unit*device.Unit+40] ^= 1
			}
			d := devicetest.FromImage(work)
			_, opened := writelog.Open(d, writelog.Options{})
			for what, err := range map[string]error{
				"open": opened, "probe": writelog.Probe(d), "inspect": writelog.Inspect(d, io.Discard), "erase": writelog.Erase(d),
			} {
				if !errors.Is(err, writelog.ErrVersion) || errors.Is(err, writelog.ErrNotFormatted) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if !bytes.Equal(d.Image(), work) {
				t.Error("it has been changed")
			}
		})
	}
}

// A frame of another version is not read as if it were of this one: its shard is damaged from there on.
func TestAFrameOfAnotherVersionIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		put(t, l, record(1, 1, 50))
		before := d.Image()
		put(t, l, record(1, 2, 50))
		image := d.Image()
		at := differing(before, image)[0] / device.Unit
		put(t, l, record(2, 1, 50))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		image = d.Image()
		binary.LittleEndian.PutUint16(image[at*device.Unit+8:], writelog.Version+1)
		writelog.ResealFrame(image, at)
		d = devicetest.FromImage(image)
		l = open(t, d)
		if damage := l.Damage(); len(damage) != 1 || damage[0].Shard != 1 || damage[0].From != 2 {
			t.Errorf("damage %v", damage)
		}
		if all := replay(t, l); len(all[1]) != 1 || all[1][0].Seq != cachecore.Seq(1) || len(all[2]) != 1 {
			t.Errorf("replayed %v and %v", seqs(all[1]), seqs(all[2]))
		}
		if err := writelog.Inspect(d, io.Discard); !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("inspect: %v", err)
		}
	})
}
