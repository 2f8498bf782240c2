package writelog_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// TestF2_AFrameOfMoreShardsThanAreNamedPutsAllInDoubt: the frame behind it names at most 64.
func TestF2_AFrameOfMoreShardsThanAreNamedPutsAllInDoubt(t *testing.T) { synctest.Test(t, manyShards) }

func manyShards(t *testing.T) {
	const shards = 80
	d := formatted(t, (4+16*64)*device.Unit, 64*device.Unit)
	l := open(t, d)
	put(t, l, record(1, 1, 10))
	release := make(chan struct{})
	var frames []devicetest.Call
	d.OnCall(func(c devicetest.Call) devicetest.Fault {
		if c.Kind == devicetest.WriteDurable {
			frames = append(frames, c)
			<-release
		}
		return devicetest.Fault{}
	})
	var wait sync.WaitGroup
	for shard := writelog.Shard(2); shard <= shards; shard++ {
		wait.Add(1)
		err := l.Append(record(shard, 1, 10), [][]byte{content(shard, 1, 10)}, func(writelog.Position, error) { wait.Done() })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the first is on its way, the others gather
	}
	close(release)
	wait.Wait()
	if len(frames) != 2 {
		t.Fatalf("%d frames, want 2", len(frames))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.OnCall(nil)
	d.Flip(frames[1].Off+99, 1)
	l = open(t, d)
	damage := l.Damage()
	if !slices.ContainsFunc(damage, func(d writelog.Damage) bool { return d.Any }) || len(damage) < 3 {
		t.Errorf("damage %v", damage) // any, and the two shards that are known
	}
	if all := replay(t, l); len(all) != 2 || len(all[1]) != 1 || len(all[2]) != 1 {
		t.Errorf("replayed %v", all)
	}
}
