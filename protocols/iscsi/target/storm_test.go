package target

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
)

// worker writes and reads a part of the disk that is its own.
type worker struct {
	t       *testing.T
	session *initiator.Session
	random  *rand.Rand
	from    int // first block of its part
	seed    int
	done    chan<- int // gets one for each command that was answered GOOD
}

const partSize = 1 << 20

// try does a command until it is answered GOOD. Some attempts are given up in the middle. What another's reset aborts has no answer at
// all (SAM-5 5.6, TAS is 0), so each attempt has its time.
func (w *worker) try(c *initiator.Command) {
	for patience := 30 * time.Millisecond; ; patience = min(2*patience, time.Second) {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		if w.random.IntN(4) == 0 {
			turns := w.random.IntN(50)
			go func() {
				for range turns {
					runtime.Gosched()
				}
				cancel()
			}()
		}
		err := w.session.Do(ctx, c)
		cancel()
		var status *initiator.StatusError
		switch {
		case err == nil:
			w.done <- 1
			return
		case errors.Is(err, initiator.ErrAborted), errors.Is(err, initiator.ErrNotSent) && ctx.Err() != nil, initiator.IsUnitAttention(err):
		case errors.As(err, &status) && (scsi.Status(status.Status) == scsi.StatusBusy || scsi.Status(status.Status) == scsi.StatusTaskSetFull):
		default:
			w.t.Errorf("%v", err)
			return
		}
	}
}

func (w *worker) run(rounds int) {
	for range rounds {
		n := blockSize << w.random.IntN(12)
		w.seed++
		c := &initiator.Command{Out: pattern(make([]byte, n), w.seed)}
		at := uint64(w.from + w.random.IntN(partSize/blockSize-n/blockSize+1))
		c.Write(at, uint32(n/blockSize), false)
		w.try(c)
		back := &initiator.Command{In: make([]byte, n)}
		back.Read(at, uint32(n/blockSize))
		if w.try(back); !bytes.Equal(back.In, c.Out) {
			w.t.Errorf("%d bytes at block %d are not what was written", n, at)
			return
		}
	}
}

// Commands, aborts and resets of several sessions come at a time, with little memory. What was answered GOOD holds, and every command
// comes to an end.
func TestCommandsAbortsAndResetsOfSeveralSessionsKeepWhatIsAnswered(t *testing.T) {
	storm(t, newRig(t, overTCP, stormy), 60)
}

// stormy has little memory.
func stormy(r *rig, s *setup) {
	leastMemory(r, s)
	r.pool.left = 6 << 20
	s.NopInterval = 30 * time.Second
}

// storm has each worker do so many rounds.
func storm(t *testing.T, r *rig, rounds int) {
	var turn atomic.Uint32
	r.store.Hold = func(ctx context.Context, _ string, _, _ int64) error {
		for range turn.Add(1) % 16 {
			runtime.Gosched()
		}
		return ctx.Err()
	}
	var workers, resets sync.WaitGroup
	done := make(chan int, 1000)
	for i := range 3 {
		limits := []iscsi.Limits{{}, {MaxBurst: 8192, FirstBurst: 4096, MaxOutstandingR2T: 2}, {MaxBurst: 65536, Digests: iscsi.DigestsRequired}}[i]
		s := r.dial(func(o *initiator.Options) { o.ISID, o.Limits = [6]byte{0x80, byte(i)}, limits })
		for j := range 2 {
			part := i*2 + j
			w := &worker{t, s, rand.New(rand.NewPCG(uint64(part), 2)), part * partSize / blockSize, part << 8, done}
			workers.Go(func() { w.run(rounds) })
		}
	}
	other := r.dial(func(o *initiator.Options) { o.ISID = [6]byte{0x80, 99} })
	resets.Go(func() {
		n := 0
		for range done {
			if n++; n%12 > 0 {
				continue
			}
			if err := errors.Join(other.ResetUnit(t.Context(), 0), other.Ready(t.Context(), 0)); err != nil {
				t.Error(err)
			}
		}
	})
	workers.Wait()
	close(done)
	resets.Wait()
	for _, s := range r.server.Sessions() {
		if s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	}
}
