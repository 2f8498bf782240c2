package volume

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

// drawPlace draws a range of an array of three extents: of a few blocks in each, so that they are met again.
func drawPlace(t *rapid.T) (off, n int64) {
	extent := rapid.Int64Range(0, 2).Draw(t, "extent")
	sector := rapid.Int64Range(0, 30*8-1).Draw(t, "at")
	if rapid.Bool().Draw(t, "whole") {
		sector = sector / 8 * 8
	}
	n = rapid.Int64Range(1, 12*8).Draw(t, "n")
	if rapid.Bool().Draw(t, "whole") {
		n = (n + 7) / 8 * 8
	}
	return extent*4*mib + sector*512, n * 512
}

// A volume is its array, whatever flash has: through crashes and ends of the process, and power cuts of the array meanwhile.
func TestAVolumeOverFlashAgreesWithItsArray(t *testing.T) {
	fewerUnderRace(t)
	var hits, preserved atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		r := newFlashRig(t, someDisk, rapid.SampledFrom([]int{16, 64}).Draw(t, "slots"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		ctx := context.Background()
		content := func(n int64) []byte {
			p := make([]byte, n)
			for i := 0; i < len(p); i += 512 {
				binary.LittleEndian.PutUint64(p[i:], random.Uint64())
			}
			return p
		}
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		again := func(t *rapid.T) {
			off, n := drawPlace(t)
			for range 3 {
				r.mustAgree(off, int(n))
				r.forgets()
			}
		}
		preserve := func() {
			before := r.flash.Stats().Admitted
			r.preserve()
			preserved.Add(int64(r.flash.Stats().Admitted - before))
		}
		t.Repeat(map[string]func(*rapid.T){
			"read": func(t *rapid.T) {
				off, n := drawPlace(t)
				r.mustAgree(off, int(n))
			},
			"read again": again, "and again": again, "and once more": again,
			"preserve": func(*rapid.T) { preserve() },
			"read what is in RAM, and preserve it": func(t *rapid.T) {
				off, n := drawPlace(t)
				for range 2 {
					r.mustAgree(off, int(n))
					r.mustAgree(off, int(n))
					preserve()
				}
			},
			"write": func(t *rapid.T) {
				off, n := drawPlace(t)
				must(r.Write(ctx, content(n), off, rapid.Bool().Draw(t, "fua")))
			},
			"write, outcome unknown": func(t *rapid.T) {
				off, n := drawPlace(t)
				stage := rapid.SampledFrom([]arraytest.Stage{arraytest.Before, arraytest.After}).Draw(t, "stage")
				r.mem.Intercept(func(_ context.Context, op arraytest.Op, at arraytest.Stage) error {
					if op.Kind == arraytest.Write && at == stage {
						return cachecore.ErrUnknownOutcome
					}
					return nil
				})
				if r.Write(ctx, content(n), off, false) == nil {
					t.Fatal("no error")
				}
				r.mem.Intercept(nil)
			},
			"zero": func(t *rapid.T) {
				off, n := drawPlace(t)
				must(r.WriteZeroes(ctx, off, n))
			},
			"discard": func(t *rapid.T) {
				off, n := drawPlace(t)
				must(r.Discard(ctx, off, n, rapid.Bool().Draw(t, "zero")))
			},
			"someone else writes": func(t *rapid.T) {
				off, n := drawPlace(t)
				must(r.mem.WriteAt(ctx, content(n), off, cachecore.WriteOptions{}))
				r.Drop()
			},
			"flush":   func(*rapid.T) { must(r.Flush(ctx)) },
			"settle":  func(*rapid.T) { must(r.Settle(ctx)) },
			"restart": func(*rapid.T) { r.restart() },
			"crash":   func(*rapid.T) { r.crash(random) },
			"crash, and the array loses power": func(*rapid.T) {
				r.mem.Crash(func(int64) bool { return random.IntN(2) == 0 })
				r.crash(random)
			},
			"end, and the array loses power": func(*rapid.T) {
				r.end()
				r.mem.Crash(func(int64) bool { return random.IntN(2) == 0 })
				r.begin()
			},
		})
		r.end()
		hits.Add(int64(r.served))
	})
	t.Logf("%d blocks from flash, %d brought there of RAM", hits.Load(), preserved.Load())
	if hits.Load() == 0 || preserved.Load() == 0 {
		t.Errorf("flash has answered %d blocks, and been given %d of RAM", hits.Load(), preserved.Load())
	}
}

// fewerUnderRace has rapid check a fifth as often where each check takes so much longer.
func fewerUnderRace(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	n, err := strconv.Atoi(checks.Value.String())
	if !raceEnabled || err != nil {
		return
	}
	t.Cleanup(func() { _ = checks.Value.Set(strconv.Itoa(n)) })
	_ = checks.Value.Set(strconv.Itoa(n / 5))
}

// versioned blocks say which write they came from. Each is one writer's; a read sees what was answered last before it began, or later.
type versioned struct {
	begun, answered atomic.Uint64
}

const (
	sharedBlocks = 96
	clients      = 4
)

// spread puts the blocks into three extents.
func spread(i int) int64 { return int64(i%3)*4*mib + int64(i/3)*blk }

// Concurrent readers and writers, small RAM, flash below: every read is a content that it may see, through crashes.
func TestReadersAndWritersOverFlashSeeWhatTheyMay(t *testing.T) {
	r := newFlashRig(t, someDisk, 24)
	var blocks [sharedBlocks]versioned
	random := rand.New(rand.NewPCG(rand.Uint64(), 2))
	for round := range 4 {
		var wait sync.WaitGroup
		failed := make(chan string, 2*clients)
		ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
		for c := range clients {
			wait.Go(func() { writes(ctx, r, blocks[:], c, failed) })
			wait.Go(func() { reads(ctx, r, blocks[:], failed) })
		}
		wait.Go(func() {
			for ctx.Err() == nil {
				_ = r.Flush(context.Background())
				r.forgets()
			}
		})
		wait.Go(func() {
			for ctx.Err() == nil {
				_ = r.Preserve()
			}
		})
		wait.Wait()
		cancel()
		select {
		case what := <-failed:
			t.Fatalf("round %d: %s", round, what)
		default:
		}
		if round%2 == 0 {
			r.crash(random)
		} else {
			r.restart()
		}
	}
	t.Logf("%d blocks from flash", r.served)
	if r.served == 0 {
		t.Error("flash has answered nothing")
	}
}

// writes is the writer of every clients-th block; it rarely writes, so that something stays cached.
func writes(ctx context.Context, r *flashRig, blocks []versioned, client int, failed chan<- string) {
	p := make([]byte, blk)
	for ctx.Err() == nil {
		i := rand.IntN(sharedBlocks/clients)*clients + client
		b := &blocks[i]
		version := b.begun.Add(1)
		for at := 0; at < blk; at += 512 {
			binary.LittleEndian.PutUint64(p[at:], version)
		}
		if err := r.Write(context.Background(), p, spread(i), false); err != nil {
			failed <- err.Error()
			return
		}
		b.answered.Store(version)
		for range 20 {
			if what := readOne(r, blocks, rand.IntN(sharedBlocks)); what != "" {
				failed <- what
				return
			}
		}
	}
}

func reads(ctx context.Context, r *flashRig, blocks []versioned, failed chan<- string) {
	for ctx.Err() == nil {
		if what := readOne(r, blocks, rand.IntN(sharedBlocks)); what != "" {
			failed <- what
			return
		}
	}
}

func readOne(r *flashRig, blocks []versioned, i int) string {
	var c collected
	defer c.release()
	least := blocks[i].answered.Load()
	if err := r.Read(context.Background(), &c, spread(i), blk); err != nil {
		return err.Error()
	}
	most, p := blocks[i].begun.Load(), c.bytes()
	for at := 0; at < blk; at += 512 {
		if v := binary.LittleEndian.Uint64(p[at:]); v < least || v > most {
			return fmt.Sprintf("block %d has version %d, and may have %d to %d", i, v, least, most)
		}
	}
	return ""
}
