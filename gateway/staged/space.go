package staged

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// slotBits is how much of an address is within a file: what lies behind 64 TiB of one is not logged.
const (
	slotBits = 46
	slotSize = int64(1) << slotBits
	maxSlots = int(math.MaxInt64 / slotSize) // whole ones
)

func (f *file) address(off uint64) int64 { return f.slot<<slotBits + int64(off) }

// space is the files with a slot as one array, in the order of their slots. Behind the end of a file it reads as zeros. It is for the
// destager's and its Array's calls, which are of one file each.
type space struct {
	system *FileSystem
	life   atomic.Uint64

	mu struct {
		sync.Mutex
		verifier nfs.Verifier
		known    bool           // verifier is
		written  map[*file]uint // how often, since they were flushed
		lost     chan struct{}  // closed, and replaced, when the filer is found away
	}
}

func (p *space) init(s *FileSystem) {
	p.system = s
	p.mu.written, p.mu.lost = map[*file]uint{}, make(chan struct{})
}

// away tells those who wait for the filer that it is away.
func (p *space) away() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.mu.lost)
	p.mu.lost = make(chan struct{})
}

// loss is closed when the filer is found away next.
func (p *space) loss() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.lost
}

// Info implements cachecore.Array.
func (p *space) Info() cachecore.ArrayInfo {
	return cachecore.ArrayInfo{Size: math.MaxInt64 &^ (cachecore.BlockSize - 1), LogicalBlock: 1, WriteCache: true, Identity: "files"}
}

// Life implements writeback.Lives: it is another one once the filer's write verifier is (PROTOCOL E1), or it has refused to commit something.
func (p *space) Life() uint64 { return p.life.Load() }

// vouch takes in the write verifier of an answer, before that is taken for one.
func (p *space) vouch(v nfs.Verifier) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.known && p.mu.verifier != v {
		p.life.Add(1)
	}
	p.mu.known, p.mu.verifier = true, v
}

// call has the filer execute something, in an array's words.
func (p *space) call(ctx context.Context, c *nfs.Caller, proc nfs.Procedure, a, r nfs.Message) error {
	err := p.system.opts.Files.Do(ctx, c, proc, a, r)
	if status := *nfs.StatusOf(r); err == nil && status != nfs.OK {
		err = status
	}
	return p.worded(proc, err)
}

// worded is an error of a filer, or its refusal, in an array's words.
func (p *space) worded(proc nfs.Procedure, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nfs.ErrAway):
		p.away()
		return fmt.Errorf("%w: %v: %w", cachecore.ErrUnavailable, proc, err)
	case errors.Is(err, nfs.ErrOutcomeUnknown):
		return fmt.Errorf("%w: %v: %w", cachecore.ErrUnknownOutcome, proc, err)
	case errors.Is(err, nfs.ErrJukebox): // it may say so for as long as others are away
		p.away()
		return fmt.Errorf("%w: %v: %w", cachecore.ErrUnavailable, proc, err)
	case errors.Is(err, nfs.ErrNoSpc):
		return fmt.Errorf("%w: %v: %w", cachecore.ErrNoSpace, proc, err)
	}
	return fmt.Errorf("%v: %w", proc, err)
}

// maxTransfer is the longest transfer that is asked for at once in bytes.
const maxTransfer = 1 << 20

// ReadAt implements cachecore.Array, on behalf of who reads (readerOf).
func (p *space) ReadAt(ctx context.Context, into []byte, addr int64) error {
	f, off := p.system.at(addr>>slotBits), uint64(addr%slotSize)
	c := readerOf(ctx)
	for len(into) > 0 {
		a := nfs.ReadArgs{File: f.handle, Offset: off, Count: uint32(min(len(into), maxTransfer))}
		r := nfs.ReadResult{Data: into[:a.Count]}
		if err := p.call(ctx, c, nfs.ProcRead, &a, &r); err != nil {
			return err
		}
		switch {
		case r.Count > a.Count || int(r.Count) != len(r.Data):
			return fmt.Errorf("READ: %d bytes, of %d that were asked for", r.Count, a.Count)
		case r.Count == 0 && !r.EOF:
			return errors.New("READ: no data, though the end of the file is not reached")
		}
		into, off = into[r.Count:], off+uint64(r.Count)
		if r.EOF {
			clear(into)
			return nil
		}
	}
	return nil
}

// Unmap implements cachecore.Array: NFS version 3 can't.
func (p *space) Unmap(context.Context, int64, int64) error { return cachecore.ErrUnsupported }

type readerKey struct{}

// reading says on whose behalf a file is read.
func reading(ctx context.Context, c *nfs.Caller) context.Context {
	return context.WithValue(ctx, readerKey{}, c)
}

func readerOf(ctx context.Context) *nfs.Caller {
	if c, ok := ctx.Value(readerKey{}).(*nfs.Caller); ok {
		return c
	}
	return &nfs.Caller{}
}
