package gateway

import (
	"context"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/stats"
	"forebay/configs"
	"forebay/protocols/scsi"
)

// still is a gateway that is built and does not run: two volumes on two LUNs of a target, one of them attached. vol1 has counted something.
func still(t *testing.T) *Gateway {
	t.Helper()
	log := newLines(t)
	config := &configs.Config{Gateway: configs.Gateway{Name: "gw-a", FaultDomain: "rack-1", Tiers: []configs.Tier{{Pool: "fast", RAM: mib}}}}
	g := New(Options{Config: config, Log: log.logger(), Version: "v1.2.3"})
	g.started = time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	p, err := newPool(config.Gateway.Tiers[0], false, g.log)
	if err != nil {
		t.Fatal(err)
	}
	g.pools["fast"] = p
	for i, name := range []string{"vol1", "vol2"} {
		c := volumeConfig(fail)
		c.Name, c.From.Array, c.ISCSI.LUN = name, "san"+name[3:], i
		s := newSAN(t, cachecore.ArrayInfo{})
		v := newDisk(c, cachecore.ObjectID(i+1), p, newAttachment(c.From.Array, "mem", s.attach, g.log), scsi.Identity{NAA: [16]byte{0x62, byte(i)}}, g.log)
		g.disks = append(g.disks, v)
	}
	if err := g.buildServer(); err != nil {
		t.Fatal(err)
	}
	attachByHand(t, g.disks[0])
	countSome(g.disks[0].stats)
	t.Cleanup(func() {
		if err := g.disks[0].close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := g.release(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// attachByHand does what an attachment's goroutine does.
func attachByHand(t *testing.T, v *disk) {
	array, err := v.attachment.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.attaching(array.Info())
	v.attachment.set(array)
	v.attached()
	t.Cleanup(func() { v.attachment.detach("the test ends") })
}

// countSome counts three reads, one of which failed, and a write.
func countSome(s *stats.Volume) {
	s.Observe(stats.Read, 4096, 20*time.Microsecond, false)
	s.Observe(stats.Read, 8192, 3*time.Millisecond, false)
	s.Observe(stats.Read, 0, time.Second, true)
	s.Observe(stats.Write, 512, 2*time.Millisecond, false)
	s.Hit(9)
	s.Missed(3)
	s.Local(time.Microsecond)
	s.Datastore(stats.Read, 65536, 2500*time.Microsecond, false)
	s.Datastore(stats.Write, 512, 2*time.Millisecond, false)
	s.Datastore(stats.Write, 512, 2*time.Millisecond, true)
}
