package writelog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
	"forebay/cachecore/writelog"
)

// small is a log of few and short segments, so that tests see all of a ring's life.
const (
	smallSegment = 8 * device.Unit
	smallSize    = (4 + 16*8) * device.Unit
)

func formatted(t testing.TB, size, segment int64) *devicetest.Twin {
	t.Helper()
	d := devicetest.New(size)
	if err := writelog.Format(d, writelog.FormatOptions{SegmentSize: segment}); err != nil {
		t.Fatal(err)
	}
	return devicetest.FromImage(d.Image()) // whose events begin after the format
}

func open(t testing.TB, d device.Device) *writelog.Log {
	t.Helper()
	l, err := writelog.Open(d, writelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func memory(t testing.TB, image []byte) device.Device {
	t.Helper()
	d, err := device.NewMemory(image)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// content is the data of a record: its own, and of the whole length.
func content(shard writelog.Shard, seq cachecore.Seq, n int) []byte {
	p := make([]byte, 0, n+8)
	random := rand.NewPCG(uint64(shard), uint64(seq))
	for len(p) < n {
		p = binary.LittleEndian.AppendUint64(p, random.Uint64())
	}
	return p[:n]
}

func record(shard writelog.Shard, seq cachecore.Seq, n int) writelog.Record {
	return writelog.Record{
		Shard: shard, Name: fmt.Sprintf("vol%d", shard), Epoch: 1, Seq: seq, Kind: writelog.Write,
		Object: []byte("handle")[:int(seq)%7], Off: int64(seq) * 512, Len: int64(n), Sum: uint32(seq),
	}
}

// Tests that compare images before and after a record run in a bubble (synctest), in which no time passes meanwhile: no idle frame comes between.

// put appends a record with its content and waits until it is durable.
func put(t testing.TB, l *writelog.Log, r writelog.Record) writelog.Position {
	t.Helper()
	at, err := tryPut(l, r)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func tryPut(l *writelog.Log, r writelog.Record) (at writelog.Position, err error) {
	var data [][]byte
	if r.Kind == writelog.Write {
		p := content(r.Shard, r.Seq, int(r.Len))
		data = [][]byte{p[:len(p)/3], p[len(p)/3:]}
	}
	done := make(chan struct{})
	refused := l.Append(r, data, func(a writelog.Position, e error) {
		at, err = a, e
		close(done)
	})
	if refused != nil {
		return 0, refused
	}
	<-done
	return at, err
}

// held is a record that a log replays.
type held struct {
	writelog.Record
	at writelog.Position
}

func replay(t testing.TB, l *writelog.Log) map[writelog.Shard][]held {
	t.Helper()
	all := map[writelog.Shard][]held{}
	err := l.Replay(func(r writelog.Record, at writelog.Position) error {
		all[r.Shard] = append(all[r.Shard], held{r, at})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// expectContent reads a record's data whole, and a part of it.
func expectContent(t testing.TB, l *writelog.Log, r writelog.Record, at writelog.Position) {
	t.Helper()
	if r.Kind != writelog.Write {
		return
	}
	want := content(r.Shard, r.Seq, int(r.Len))
	for _, skip := range []int64{0, r.Len / 2} {
		got := make([]byte, r.Len-skip)
		if err := l.ReadAt(got, at, skip); err != nil {
			t.Fatalf("shard %d record %d at %v: %v", r.Shard, r.Seq, at, err)
		}
		if !bytes.Equal(got, want[skip:]) {
			t.Fatalf("shard %d record %d at %v: other bytes", r.Shard, r.Seq, at)
		}
	}
}

// seqs are the numbers of records.
func seqs(all []held) (numbers []cachecore.Seq) {
	for _, h := range all {
		numbers = append(numbers, h.Seq)
	}
	return numbers
}
