package integration

import (
	"bytes"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/gateway/backend/iscsi"
)

// array are the options of the adapter over a LUN.
func (a *tgtd) array(lun int) iscsi.Options {
	return iscsi.Options{Portals: []string{a.portal}, Target: a.target, LUN: uint16(lun), CHAP: a.options.chap, BlockSize: a.options.blockSize}
}

func TestSuiteOnTgtd(t *testing.T) {
	for name, o := range map[string]tgtdOptions{
		"512":                     {},
		"thin with a write cache": {thin: true, writeCache: true},
		"4096":                    {blockSize: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			o.size, o.luns = 4<<20, 16
			a, next := startTgtd(t, o), 0
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				next++ // a fresh one
				return openArray(t, a.array(next))
			})
		})
	}
}

func TestD7_TgtdIsReservedAgainstASecondGateway(t *testing.T) {
	a := startTgtd(t, tgtdOptions{})
	o := a.array(1)
	o.InitiatorName, o.Reserve, o.Key = "iqn.2026-11.io.forebay:gw-a", true, 0xf0
	first := openArray(t, o)
	if first.Unfenced() {
		t.Fatal("tgtd has persistent reservations")
	}
	if err := first.WriteAt(t.Context(), make([]byte, 512), 0, cachecore.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	o.InitiatorName, o.Key = "iqn.2026-11.io.forebay:gw-b", 0xf1
	if second, err := iscsi.Open(t.Context(), o); err == nil {
		second.Close()
		t.Fatal("a second gateway attaches the LUN")
	}
}

func TestE1_TgtdThatIsRestartedIsGoneOnWith(t *testing.T) {
	a := startTgtd(t, tgtdOptions{writeCache: true})
	o := a.array(1)
	o.Reserve, o.Key = true, 0xf0
	array := openArray(t, o)
	for i := range int64(64) {
		if err := array.WriteAt(t.Context(), bytes.Repeat([]byte{byte(i + 1)}, 4096), i*4096, cachecore.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 20 || i == 40 {
			a.restart()
		}
	}
	if err := array.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range int64(64) {
		p := make([]byte, 4096)
		if err := array.ReadAt(t.Context(), p, i*4096); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{byte(i + 1)}, 4096)) {
			t.Fatalf("block %d holds other bytes than were written, or %v", i, err)
		}
	}
}
