package writelog_test

import (
	"errors"
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
