package writelog_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestF2_ALogDoesNotEndWhereItCantBeRead, however much else can't be read.
func TestF2_ALogDoesNotEndWhereItCantBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const units = 1200
		d := formatted(t, (4+8*units)*device.Unit, units*device.Unit)
		l := open(t, d)
		size := int(l.MaxData())
		for seq := cachecore.Seq(1); seq <= 20; seq++ {
			put(t, l, record(1, seq, size))
		}
		before := d.Image()
		put(t, l, record(2, 1, 100))
		last := differing(before, d.Image())[0]
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		bad := func(off, n, from, to int64) bool { return off < to && off+n > from }
		d.OnCall(func(c devicetest.Call) devicetest.Fault {
			first := (2 + units) * int64(device.Unit) // of segment 1
			if c.Kind == devicetest.Read && (bad(c.Off, c.Len, first+80*device.Unit, first+1150*device.Unit) || bad(c.Off, c.Len, last, last+8*device.Unit)) {
				return devicetest.Fault{Err: errors.New("medium error")}
			}
			return devicetest.Fault{}
		})
		if l, err := writelog.Open(d, writelog.Options{}); !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("opened: %v, damage %v", err, l.Damage())
		}
	})
}

// TestAnInspectionDoesNotEndWhereItCantBeRead: a unit behind what seems to be the last frame may hold another one.
func TestAnInspectionDoesNotEndWhereItCantBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := formatted(t, smallSize, smallSegment)
		l := open(t, d)
		before := d.Image()
		put(t, l, record(1, 1, 100))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		written := differing(before, d.Image())
		behind := written[len(written)-1] + device.Unit
		d.OnCall(func(c devicetest.Call) devicetest.Fault {
			if c.Kind == devicetest.Read && c.Off <= behind && behind < c.Off+c.Len {
				return devicetest.Fault{Err: errors.New("medium error")}
			}
			return devicetest.Fault{}
		})
		if _, err := writelog.Open(d, writelog.Options{}); !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("open: %v", err)
		}
		if err := writelog.Inspect(d, io.Discard); !errors.Is(err, writelog.ErrDamaged) {
			t.Errorf("inspect: %v", err)
		}
	})
}
