package writelog_test

import (
	"testing"
	"testing/synctest"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// TestAPlaceIsNotUsedAgainUnderAReader holds a read at the device until nothing goes on any more.
func TestAPlaceIsNotUsedAgainUnderAReader(t *testing.T) { synctest.Test(t, heldRead) }

func heldRead(t *testing.T) {
	d := formatted(t, smallSize, smallSegment)
	l := open(t, d)
	r := record(1, 1, 3000)
	at := put(t, l, r)
	release := make(chan struct{})
	var held devicetest.Call // by the first read; written before any write can be looked at
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		switch {
		case c.Kind == devicetest.Read && held.Len == 0:
			held = c
			<-release
		case c.Kind == devicetest.WriteDurable && c.Off < held.Off+held.Len && held.Off < c.Off+c.Len && held.N > 0:
			select {
			case <-release:
			default:
				t.Errorf("a write of %d bytes at %d under a read of %d at %d", c.Len, c.Off, held.Len, held.Off)
			}
		}
		return devicetest.Fault{}
	})
	read := make(chan error)
	go func() {
		p := make([]byte, r.Len)
		read <- l.ReadAt(p, at, 0)
	}()
	synctest.Wait()
	if held.Len < device.Unit {
		t.Fatal("no read has come")
	}
	if err := l.Trim(1, 1); err != nil {
		t.Fatal(err)
	}
	went := make(chan struct{})
	go func() { laps(t, l); close(went) }()
	synctest.Wait()
	select {
	case <-went:
		t.Error("the ring went round under a reader")
	default:
	}
	close(release)
	if err := <-read; err != nil {
		t.Errorf("the read: %v", err)
	}
	<-went
	if err := l.ReadAt(make([]byte, 1), at, 0); err == nil {
		t.Error("read from a place that has been used again")
	}
}
