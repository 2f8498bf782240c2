package nfs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
)

// FileOptions of OpenFile.
type FileOptions struct {
	Path      string // below the export's root
	BlockSize int    // what the volume serves, in bytes: 512 or 4096
	Expected  string // the identity that was stored at the first attachment; empty at the first

	// Watch hears of what happens after OpenFile, one event at a time. It may call the File, Close excepted, but not wait for it.
	Watch func(FileEvent)
}

// FileEvent tells of a file's coming and going.
type FileEvent struct {
	Available bool
	Reason    string // why it is not available
	Unproven  bool   // what is cached is not known to be what the filer has
	Forsaken  bool   // what was answered and not flushed before may be gone; it is Unproven too
	Resized   bool   // Info has changed
}

// File is a file of a filer as an array. It is used as root.
type File struct {
	filer  *Filer
	opts   FileOptions
	handle wire.Handle
	info   atomic.Pointer[cachecore.ArrayInfo]

	listener *listener
	life     context.Context // of the poll
	end      context.CancelFunc
	works    sync.WaitGroup

	telling sync.Mutex // held while Watch is told
	told    FileEvent  // what lasts of the last event; guarded by telling
	mu      struct {
		sync.Mutex
		ledger ledger
		gone   error // why the file can't be used though the filer can; nil: it can
		cut    bool  // it has been found shorter than Info says, and is not known to be as long again
	}
}

var _ cachecore.Array = (*File)(nil)

const (
	physicalBlock = 4096
	pollInterval  = 5 * time.Second
)

// OpenFile opens a file of the filer, which has to live longer. It wraps cachecore.ErrIdentity if it isn't the expected one, and
// cachecore.ErrUnavailable where waiting may help.
func OpenFile(ctx context.Context, filer *Filer, o FileOptions) (*File, error) {
	if o.BlockSize != 512 && o.BlockSize != 4096 {
		return nil, fmt.Errorf("%s: a logical block of %d bytes: 512 or 4096", o.Path, o.BlockSize)
	}
	if o.Watch == nil {
		o.Watch = func(FileEvent) {}
	}
	handle, attr, err := filer.find(ctx, o.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	f := &File{filer: filer, opts: o, handle: handle}
	f.info.Store(f.infoOf(attr))
	switch info := f.Info(); {
	case o.Expected != "" && o.Expected != info.Identity:
		return nil, fmt.Errorf("open %s: %w: %s instead of %s", o.Path, cachecore.ErrIdentity, info.Identity, o.Expected)
	case info.Size == 0:
		return nil, fmt.Errorf("open %s: a file of %d bytes has no block", o.Path, attr.Size)
	case info.Size < 0:
		return nil, fmt.Errorf("open %s: a file of %d bytes is too large", o.Path, attr.Size)
	}
	f.told.Available = true
	f.life, f.end = context.WithCancel(context.Background())
	f.listener = filer.audience.add(f.hear, filer.health.event)
	f.works.Go(f.poll)
	return f, nil
}

func (f *File) infoOf(attr *wire.Attr) *cachecore.ArrayInfo {
	return &cachecore.ArrayInfo{Size: int64(attr.Size) / int64(f.opts.BlockSize) * int64(f.opts.BlockSize), LogicalBlock: f.opts.BlockSize,
		PhysicalBlock: physicalBlock, WriteCache: true, Interruptible: true, Identity: f.filer.Identity() + "." + hex.EncodeToString(f.handle)}
}

// Info implements cachecore.Array. Size follows a file that grows.
func (f *File) Info() cachecore.ArrayInfo { return *f.info.Load() }

// Close ends the watching of the file. Its calls have to have returned; the filer stays open.
func (f *File) Close() error {
	f.end()
	f.works.Wait()
	f.filer.audience.remove(f.listener)
	return nil
}

// ReadAt implements cachecore.Array.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) error {
	if err := f.check(ctx, len(p), off); err != nil || len(p) == 0 {
		return err
	}
	for n := 0; n < len(p); {
		r := wire.ReadResult{Data: p[n:min(len(p), n+maxTransfer)]}
		a := &wire.ReadArgs{File: f.handle, Offset: uint64(off) + uint64(n), Count: uint32(len(r.Data))}
		if err := f.do(ctx, wire.ProcRead, a, &r); err != nil {
			return err
		}
		if r.Count == 0 {
			f.foundCut()
			return fmt.Errorf("read %d bytes at %d of %s: %w", len(p), off, f.opts.Path, errCut)
		}
		n += int(r.Count)
	}
	return nil
}

// errCut: the file has become shorter behind our back.
var errCut = errors.New("the file ends before that")

// WriteAt implements cachecore.Array.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	if err := f.check(ctx, len(p), off); err != nil || len(p) == 0 {
		return err
	}
	stable := wire.Unstable
	if o.FUA {
		stable = wire.FileSync
	}
	for n := 0; n < len(p); {
		var r wire.WriteResult
		a := &wire.WriteArgs{File: f.handle, Offset: uint64(off) + uint64(n), Stable: stable, Data: p[n:min(len(p), n+maxTransfer)]}
		if err := f.do(ctx, wire.ProcWrite, a, &r); err != nil {
			return err
		}
		f.wrote(&r)
		if o.FUA && r.Committed == wire.Unstable {
			return fmt.Errorf("write %s: %w", f.opts.Path, errNotStable)
		}
		n += int(r.Count)
	}
	return nil
}

// errNotStable: what was asked to be FILE_SYNC was answered as less.
var errNotStable = errors.New("the filer does not write durably")

// Unmap implements cachecore.Array: NFS version 3 can't.
func (f *File) Unmap(context.Context, int64, int64) error {
	return fmt.Errorf("unmap %s: %w", f.opts.Path, cachecore.ErrUnsupported)
}

// check refuses what isn't whole blocks of the file.
func (f *File) check(ctx context.Context, n int, off int64) error {
	info, length := f.info.Load(), int64(n)
	switch {
	case off < 0 || off > info.Size || length > info.Size-off:
		return fmt.Errorf("%w: %d bytes at %d of %s, which has %d", cachecore.ErrOutOfRange, length, off, f.opts.Path, info.Size)
	case off%int64(info.LogicalBlock) != 0 || length%int64(info.LogicalBlock) != 0:
		return fmt.Errorf("%d bytes at %d of %s are not whole blocks of %d", length, off, f.opts.Path, info.LogicalBlock)
	}
	return ctx.Err()
}
