package writelog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

// TestB9_WhatSpacePromisesIsThere fills logs of several shapes to the last byte that Space promises, trims a little, fills them again, for many laps,
// with records of all sizes and with shards that are never trimmed. No record that was taken in may fail for want of room.
func TestB9_WhatSpacePromisesIsThere(t *testing.T) {
	for _, shape := range [][2]int64{{8, 8}, {16, 8}, {20, 16}, {9, 40}, {64, 8}} {
		for _, mix := range []string{"small", "large", "any"} {
			t.Run(fmt.Sprintf("%dx%d %s", shape[0], shape[1], mix), func(t *testing.T) {
				t.Parallel()
				fill(t, (4+shape[0]*shape[1])*device.Unit, shape[1]*device.Unit, mix)
			})
		}
	}
}

func fill(t *testing.T, size, segment int64, mix string) {
	d := memory(t, device.Buffer(int(size)))
	if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: segment}); err != nil {
		t.Fatal(err)
	}
	l := open(t, d)
	random := rand.New(rand.NewPCG(uint64(size), uint64(len(mix))))
	f := &filler{l: l, random: random, first: map[writelog.Shard]cachecore.Seq{}, last: map[writelog.Shard]cachecore.Seq{}}
	for written := int64(0); written < 8*size/thin; {
		n := f.size(mix)
		err := f.put(writelog.Shard(random.IntN(5)+1), n)
		written += int64(n) + 100
		if errors.Is(err, writelog.ErrFull) {
			err = f.trim()
		}
		if err != nil {
			used, capacity := l.Space()
			t.Fatalf("after %d bytes, %d of %d used: %v", written, used, capacity, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f.check(t, open(t, d))
}

type filler struct {
	l           *writelog.Log
	random      *rand.Rand
	first, last map[writelog.Shard]cachecore.Seq
}

func (f *filler) size(mix string) int {
	most := int(f.l.MaxData())
	switch mix {
	case "small":
		return f.random.IntN(600)
	case "large":
		return most - f.random.IntN(most/4)
	}
	return f.random.IntN(most)
}

func (f *filler) put(shard writelog.Shard, n int) error {
	r := record(shard, f.last[shard]+1, n)
	_, err := tryPut(f.l, r)
	if err == nil {
		f.last[shard]++
	}
	return err
}

// trim trims a part of the shards 1 to 3; 4 and 5 are of an array that is away, until there is nothing else.
func (f *filler) trim() error {
	for range 20 {
		shard := writelog.Shard(f.random.IntN(3) + 1)
		if n := int(f.last[shard] - f.first[shard]); n > 0 {
			f.first[shard] += cachecore.Seq(f.random.IntN(n) + 1)
			return f.l.Trim(shard, f.first[shard])
		}
	}
	for shard := writelog.Shard(1); shard <= 5; shard++ {
		f.first[shard] = f.last[shard]
		if err := f.l.Trim(shard, f.first[shard]); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) check(t *testing.T, l *writelog.Log) {
	if damage := l.Damage(); len(damage) > 0 {
		t.Fatal(damage)
	}
	all := replay(t, l)
	for shard, last := range f.last {
		got := all[shard]
		if len(got) != int(last-f.first[shard]) {
			t.Fatalf("shard %d: %d records, want %d to %d", shard, len(got), f.first[shard]+1, last)
		}
		for i, h := range got {
			if h.Seq != f.first[shard]+cachecore.Seq(i)+1 {
				t.Fatalf("shard %d: record %d at %d", shard, h.Seq, i)
			}
			expectContent(t, l, h.Record, h.at)
		}
	}
}
