package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"forebay/integration/relay"
	"forebay/protocols/iscsi/initiator"
)

// The gateway is killed after a random time while one client writes, each write acknowledged before the next is sent, over an array that is 20 ms away: as
// soon as that has a further write of an interval, at least 20 ms before the interval's flush gets there. Then the log is thrown away: what the array
// has, as it lies there, is a state that the client could have seen, apart from that interval (PROTOCOL B1).
//
// That is held exactly. The log's trim point, which is read before it goes, says which write the closed intervals end with: each block has what the last
// write up to there left in it, or something newer. The newer ones all come from one interval, which is cut at some write too, and in which a
// block is written once, with what it has at the cut: so there is one write such that each of the newer blocks has what it had then. Apart from what the
// interval of an earlier life has left that was killed as well: the next life carries all of that once more, as one interval (E5), and goes back to nothing older.
func TestB1_WithoutItsLogTheArrayIsInAStateThatTheClientHasSeen(t *testing.T) {
	t.Parallel()
	kills := 3
	if soak() {
		kills = 30
	}
	a := startTgtd(t, tgtdOptions{size: prefixBlocks * prefixBlock, writeCache: true})
	r := startRelay(t, a.portal, relay.Options{})
	r.Delay(relay.ToServer, 20*time.Millisecond)
	s := writeBack(settings{dir: t.TempDir(), ram: "32MiB", listen: freePort(t), array: a.over(r.Addr()), lun: 1})
	w, open := &orderedWriter{t: t}, 0
	for range kills {
		g := startGateway(t, s)
		ended := w.start(g)
		select {
		case <-ended:
			t.Fatalf("the writer ended: %v", w.err)
		case <-time.After(time.Second + time.Duration(rand.Int64N(int64(1500*time.Millisecond)))):
		}
		written := changed(t, a.disk(1))
		eventually(t, 30*time.Second, "a further write on the array", func() bool { return changed(t, a.disk(1)) != written })
		g.kill()
		<-ended
		trimmed, last := logEnds(t, filepath.Join(s.dir, "log.img"))
		w.settle(last)
		image, err := os.ReadFile(a.disk(1))
		if err != nil {
			t.Fatal(err)
		}
		open += w.check(image, trimmed)
	}
	t.Logf("%d writes; %d blocks of intervals under way were on the array", len(w.writes), open)
	if open == 0 {
		t.Error("no kill met an interval under way: nothing was shown")
	}
}

// changed says when a file was written last.
func changed(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

const (
	prefixBlock  = 4096
	prefixBlocks = 16384
)

// orderedWriter writes one thing after the other: write n, from 1 on, fills its blocks with n.
type orderedWriter struct {
	t      *testing.T
	writes []stretch // write n is the one before n
	acked  int       // how many were
	err    error     // how the last session ended

	trimmed int         // at the last check
	left    map[int]int // blocks that were newer then, with what they hold
}

// stretch is what one write covers, in blocks.
type stretch struct{ from, n int }

// start writes through a gateway until that ends. The writer is the goroutine's until the channel is closed.
func (w *orderedWriter) start(g *gatewayProcess) <-chan struct{} {
	w.t.Helper()
	s, err := initiator.Dial(w.t.Context(), initiator.Options{Portal: g.portal, Target: demoTarget})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Ready(w.t.Context(), 0); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer s.Abandon()
		for w.err = nil; w.err == nil; {
			w.err = w.next(s)
		}
	}()
	return ended
}

// next sends one write, and every now and then a barrier behind it.
func (w *orderedWriter) next(s *initiator.Session) error {
	x := stretch{rand.IntN(prefixBlocks - 16), 1 + rand.IntN(16)}
	w.writes = append(w.writes, x)
	c := &initiator.Command{Out: numbered(x.n*prefixBlock, uint64(len(w.writes)))}
	c.Write(uint64(x.from)*8, uint32(x.n)*8, false)
	if err := s.Do(w.t.Context(), c); err != nil {
		return err
	}
	w.acked = len(w.writes)
	if w.acked%50 == 0 {
		return s.SyncCache(w.t.Context(), 0)
	}
	return nil
}

func numbered(bytes int, with uint64) []byte {
	p := make([]byte, 0, bytes)
	for len(p) < bytes {
		p = binary.LittleEndian.AppendUint64(p, with)
	}
	return p
}

// settle makes the log's last record the last write: the one without an answer may be in the log or not, all that were acknowledged are.
func (w *orderedWriter) settle(last int) {
	w.t.Helper()
	if last < w.acked || last > len(w.writes) {
		w.t.Fatalf("%d writes were acknowledged and %d sent; the log has had %d", w.acked, len(w.writes), last)
	}
	w.writes, w.acked = w.writes[:last], last
}

// check holds an image against the writes, those up to trimmed being of closed intervals, and returns how many blocks are newer.
func (w *orderedWriter) check(image []byte, trimmed int) (newer int) {
	w.t.Helper()
	cutFrom, cutTo := trimmed, len(w.writes) // where the interval under way may end
	left, now := w.left, map[int]int{}
	if trimmed != w.trimmed {
		left = nil // that has been carried
	}
	w.trimmed, w.left = trimmed, now
	for b, written := range w.byBlock() {
		got, err := holds(image[b*prefixBlock:][:prefixBlock])
		if err != nil {
			w.t.Fatalf("block %d: %v", b, err)
		}
		closed, next := 0, len(w.writes)+1 // the last write of it up to there, and the first behind what it holds
		for _, n := range written {
			if n <= trimmed {
				closed = n
			}
			if n > max(got, trimmed) {
				next = min(next, n)
			}
		}
		switch {
		case got < left[b]:
			w.t.Errorf("block %d holds write %d, and had write %d", b, got, left[b])
		case got == closed:
		case got > trimmed && got == left[b]:
			now[b] = got
		case got > trimmed && slices.Contains(written, got):
			newer++
			now[b] = got
			cutFrom, cutTo = max(cutFrom, got), min(cutTo, next-1)
		default:
			w.t.Errorf("block %d holds write %d, of closed intervals it has %d (up to %d)", b, got, closed, trimmed)
		}
	}
	if cutFrom > cutTo {
		w.t.Errorf("the blocks newer than write %d are of no one interval: one holds write %d, and one lacks write %d", trimmed, cutFrom, cutTo+1)
	}
	return newer
}

// byBlock lists the writes of each block.
func (w *orderedWriter) byBlock() [][]int {
	list := make([][]int, prefixBlocks)
	for i, x := range w.writes {
		for b := x.from; b < x.from+x.n; b++ {
			list[b] = append(list[b], i+1)
		}
	}
	return list
}

// holds says which write a block is of, as a whole.
func holds(block []byte) (int, error) {
	n := binary.LittleEndian.Uint64(block)
	for i := 8; i < len(block); i += 8 {
		if other := binary.LittleEndian.Uint64(block[i:]); other != n {
			return 0, fmt.Errorf("it has something of write %d and of write %d", n, other)
		}
	}
	return int(n), nil
}

var shardLine = regexp.MustCompile(`(?m)^shard [0-9a-f]+ "vol1": \d+ records above (\d+) to (\d+),`)

// logEnds reads off a log, offline, up to which record it is trimmed, and which is the last.
func logEnds(t *testing.T, path string) (trimmed, last int) {
	t.Helper()
	found := shardLine.FindStringSubmatch(command(t, forebay, "inspect", path))
	if found == nil {
		t.Fatal("the log has nothing of the volume")
	}
	trimmed, err := strconv.Atoi(found[1])
	last, err2 := strconv.Atoi(found[2])
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return trimmed, last
}
