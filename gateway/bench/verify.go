package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxSamples   = 10
	enoughWrong  = 100 // there is no point in going on
	chunkSectors = warmChunk / sectorSize
	largest      = 128 // sectors of the largest command in the mixture
)

// verifier writes sectors and judges what reads return.
type verifier struct {
	t       *target
	run     uint64
	sectors int // of the working set
	base    int // the first one's number on the device
	checker *Checker
	ended   atomic.Bool // slots stop

	reads, writes, compared, unknown atomic.Int64

	mu      sync.Mutex
	wrong   int64
	samples []string
}

// verify fills the working set, reads and writes it for a while, and reads it back.
func verify(ctx context.Context, t *target) (Report, error) {
	v := &verifier{t: t, run: randomSeed(), sectors: int(t.length / sectorSize), base: int(t.first / sectorSize)}
	v.checker = NewChecker(v.sectors)
	chunks := uint64((v.sectors + chunkSectors - 1) / chunkSectors)
	if err := t.each(ctx, chunks, v.fillChunk); err != nil {
		return Report{}, fmt.Errorf("filling: %w", err)
	}
	begun := time.Now()
	err := v.drive(ctx)
	elapsed := time.Since(begun)
	operations := v.reads.Load() + v.writes.Load()
	if err == nil {
		err = t.sessions[0].flush(ctx)
	}
	if err == nil {
		err = t.each(ctx, chunks, v.readChunk)
	}
	if err != nil {
		err = fmt.Errorf("verifying: %w", err)
	}
	return v.report(operations, elapsed), errors.Join(v.judgement(), err)
}

// judgement is the error of wrong sectors.
func (v *verifier) judgement() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch changes := v.t.device.counts().verifiers; {
	case v.wrong > 0 && changes > 0:
		return fmt.Errorf("%w: %d sectors; the server's write verifier changed %d times, and so it may lose what was written unstable: see --stable", ErrWrongData, v.wrong, changes)
	case v.wrong > 0:
		return fmt.Errorf("%w: %d sectors", ErrWrongData, v.wrong)
	}
	return nil
}

func (v *verifier) report(operations int64, elapsed time.Duration) Report {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.t.opts
	r := Report{Result: Result{Target: v.t.name, Workload: "verify, " + o.workload(v.t.length), Seconds: elapsed.Seconds(), Operations: operations, Reconnects: v.t.device.counts().reconnects}}
	if elapsed > 0 {
		r.IOPS = float64(operations) / elapsed.Seconds()
	}
	r.Verify = &Verification{Sectors: v.compared.Load(), Reads: v.reads.Load(), Writes: v.writes.Load(), Unknown: v.unknown.Load(),
		Wrong: v.wrong, Seed: o.Seed, Samples: v.samples}
	return r
}

// drive runs the slots for the duration.
func (v *verifier) drive(ctx context.Context) error {
	o := v.t.opts
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer everySecond(o.Progress, v.progressLine)()
	timer := time.AfterFunc(o.Duration, func() { v.ended.Store(true) })
	defer timer.Stop()
	var all sync.WaitGroup
	for i, to := range v.t.sessions {
		for j := range o.Depth {
			p := v.newPlacement(i, uint64(i*maxDepth+j))
			all.Go(func() {
				if err := v.slot(ctx, to, p, uint32(i*maxDepth+j)); err != nil {
					cancel(err)
				}
			})
		}
	}
	all.Wait()
	return context.Cause(ctx)
}

func (v *verifier) progressLine(second int) string {
	return fmt.Sprintf("%s %4d s %9d reads %9d writes", v.t.name, second, v.reads.Load(), v.writes.Load())
}

// slot does one command after the other.
func (v *verifier) slot(ctx context.Context, to session, p *placement, writer uint32) error {
	data := make([]byte, max(largest*sectorSize, v.t.opts.BlockSize))
	for !v.ended.Load() && ctx.Err() == nil {
		first, n := p.next()
		if p.rng.IntN(100) >= v.t.opts.Read {
			done, err := v.write(ctx, to, first, data[:n*sectorSize], writer)
			if err != nil {
				return err
			}
			if done {
				continue
			}
			// Another slot writes there: read beside it.
		}
		if err := v.read(ctx, to, first, data[:n*sectorSize]); err != nil {
			return err
		}
	}
	return nil
}

// write writes new versions. It returns false when another write of some of the sectors is outstanding.
func (v *verifier) write(ctx context.Context, to session, first int, data []byte, writer uint32) (done bool, err error) {
	versions := make([]uint32, len(data)/sectorSize)
	if !v.checker.BeginWrite(first, versions) {
		return false, nil
	}
	for i, version := range versions {
		s := sector{run: v.run, address: uint64(v.base + first + i), version: version, writer: writer}
		s.encode(data[i*sectorSize:][:sectorSize])
	}
	err = to.transfer(ctx, v.offset(first), data, true)
	v.checker.EndWrite(first, len(versions), err == nil)
	v.writes.Add(1)
	var lost *unknownError
	if err != nil && ctx.Err() == nil && errors.As(err, &lost) {
		v.unknown.Add(1)
		return true, nil
	}
	return true, err
}

// read reads sectors and judges them.
func (v *verifier) read(ctx context.Context, to session, first int, data []byte) error {
	n := len(data) / sectorSize
	floors, got := make([]uint32, n), make([]uint32, n)
	v.checker.BeginRead(first, floors)
	if err := to.transfer(ctx, v.offset(first), data, false); err != nil {
		return err
	}
	for i := range n {
		p := data[i*sectorSize:][:sectorSize]
		s, problem := decode(p, v.run, uint64(v.base+first+i))
		if got[i] = s.version; problem != "" {
			got[i] = floors[i] // nothing is known of its version
			v.report1(first+i, fmt.Sprintf("%s, expected version %d or later", problem, floors[i]), p)
		}
	}
	for _, w := range v.checker.EndRead(first, floors, got, nil) {
		p := data[(w.Sector-first)*sectorSize:][:sectorSize]
		s, _ := decode(p, v.run, uint64(v.base+w.Sector))
		v.report1(w.Sector, fmt.Sprintf("version %d by writer %d, expected %d to %d", w.Got, s.writer, w.Floor, w.Top), p)
	}
	v.reads.Add(1)
	v.compared.Add(int64(n))
	return nil
}

// report1 notes one wrong sector.
func (v *verifier) report1(sector int, what string, p []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.wrong++; v.wrong >= enoughWrong {
		v.ended.Store(true)
	}
	if len(v.samples) < maxSamples {
		v.samples = append(v.samples, fmt.Sprintf("sector %d (byte %d): %s; it begins % x", v.base+sector, v.offset(sector), what, p[:bodyOffset]))
	}
}

func (v *verifier) offset(sector int) int64 { return int64(v.base+sector) * sectorSize }

// fillChunk writes version 1, or a later one when the outcome of that was lost.
func (v *verifier) fillChunk(ctx context.Context, to session, i uint64, data []byte) error {
	first := int(i) * chunkSectors
	n := min(chunkSectors, v.sectors-first)
	for lost := int64(-1); lost != v.unknown.Load(); {
		lost = v.unknown.Load()
		if _, err := v.write(ctx, to, first, data[:n*sectorSize], 0); err != nil {
			return err
		}
	}
	return nil
}

// readChunk reads back.
func (v *verifier) readChunk(ctx context.Context, to session, i uint64, data []byte) error {
	first := int(i) * chunkSectors
	return v.read(ctx, to, first, data[:min(chunkSectors, v.sectors-first)*sectorSize])
}

// placement chooses the sectors of a slot's commands. One goroutine's.
type placement struct {
	rng         *rand.Rand
	first, last int // sectors that are the slot's to use, last exclusive
	unit        int // sectors in a logical block
	fixed       int // sectors of every command; 0: a mixture
}

func (v *verifier) newPlacement(session int, stream uint64) *placement {
	o := v.t.opts
	p := &placement{rng: rand.New(rand.NewPCG(o.Seed, stream)), last: v.sectors, unit: v.t.block / sectorSize, fixed: o.BlockSize / sectorSize}
	if !o.Shared {
		part := v.sectors / max(p.unit, p.fixed) / o.Sessions * max(p.unit, p.fixed)
		p.first, p.last = session*part, (session+1)*part
	}
	return p
}

// next returns a range of whole logical blocks: whole cache blocks, parts of one, and ranges that begin and end in the middle.
func (p *placement) next() (first, n int) {
	room := p.last - p.first
	at := p.first + p.rng.IntN(room)
	switch kind := p.rng.IntN(100); {
	case p.fixed > 0:
		n, at = p.fixed, at-(at-p.first)%p.fixed
	case kind < 25: // one block of 4 KiB
		n, at = 8, at&^7
	case kind < 50: // less than one
		n = 1 + p.rng.IntN(7)
	case kind < 70: // as long as one, but not aligned to it
		n = 8
	case kind < 85:
		n, at = largest, at&^(largest-1)
	default:
		n = 1 + p.rng.IntN(largest)
	}
	at -= (at - p.first) % p.unit
	n = (n + p.unit - 1) / p.unit * p.unit
	at = max(at, p.first)
	return at, max(min(n, p.last-at), p.unit)
}
