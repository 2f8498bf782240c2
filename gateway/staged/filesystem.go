package staged

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
)

// Options are what a FileSystem is made of.
type Options struct {
	Files    nfs.FileSystem // the filer's
	Verifier nfs.Verifier   // of what is answered by the log: it changes only when some of that is lost (PROTOCOL H3)
	Durable  bool           // what the log has answered survives a power cut
	Parked   string         // the directory for what the filer refuses for good
	Rights   time.Duration  // how long what the filer has let a user do is taken for true; 0: 3 s
	Logger   zerolog.Logger

	MaxFiles int // with a slot; 0: 65536, and that at most
}

const (
	defaultRights   = 3 * time.Second
	defaultMaxFiles = 1 << 16
)

// FileSystem is an nfs.FileSystem with a write log. It is safe for concurrent use.
type FileSystem struct {
	opts  Options
	array *writeback.Array
	space space
	parks parks

	longestFile atomic.Uint64 // that the filer can have, once it has said so

	mu struct {
		sync.Mutex
		files map[string]*file // by handle
		slots []*file          // nil: free
		free  []int64          // slots
		dirty map[*file]bool
		turn  uint64 // of changes of any file's base
		gone  gone   // the files that were forgotten last

		trimmed cachecore.Seq   // the filer has the records up to this one
		void    cachecore.Epoch // and those of epochs below this one
	}
}

// New returns a file system. Before it is used, the array that logs its writes is made of Array and Log, and given to Use.
func New(o Options) (*FileSystem, error) {
	o.Rights, o.MaxFiles = cmp.Or(o.Rights, defaultRights), min(cmp.Or(o.MaxFiles, defaultMaxFiles), defaultMaxFiles)
	s := &FileSystem{opts: o}
	s.mu.files, s.mu.dirty = map[string]*file{}, map[*file]bool{}
	s.space.init(s)
	if err := s.parks.open(o.Parked); err != nil {
		return nil, fmt.Errorf("what the filer has refused: %w", err)
	}
	return s, nil
}

// Array is the address space of all files, for writeback.Options.
func (s *FileSystem) Array() cachecore.Array { return &s.space }

// Use sets the array that logs.
func (s *FileSystem) Use(a *writeback.Array) { s.array = a }

// Parked is how many files have content that the filer has refused.
func (s *FileSystem) Parked() int { return s.parks.count() }

// Do implements nfs.FileSystem. Where acknowledged records are lost nothing is answered, of whatever file: nobody knows whose they were (PROTOCOL F2).
func (s *FileSystem) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if _, err := s.array.Mode(); err != nil {
		return away(err)
	}
	switch p {
	case nfs.ProcRead:
		return s.read(ctx, c, a.(*nfs.ReadArgs), r.(*nfs.ReadResult))
	case nfs.ProcWrite:
		return s.write(ctx, c, a.(*nfs.WriteArgs), r.(*nfs.WriteResult))
	case nfs.ProcCommit:
		return s.commit(ctx, c, a.(*nfs.CommitArgs), r.(*nfs.CommitResult))
	case nfs.ProcSetAttr:
		return s.setAttr(ctx, c, a.(*nfs.SetAttrArgs), r.(*nfs.WccResult))
	case nfs.ProcCreate, nfs.ProcRemove, nfs.ProcRename, nfs.ProcLink:
		return s.rename(ctx, c, p, a, r)
	default:
		return s.pass(ctx, c, p, a, r)
	}
}

// pass has the filer execute a procedure, and shows files as they are shown.
func (s *FileSystem) pass(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	for range chases {
		since := s.turn()
		if err := s.opts.Files.Do(ctx, c, p, a, r); err != nil {
			return err
		}
		if s.patch(a, r, since) {
			return nil
		}
	}
	*nfs.StatusOf(r) = nfs.ErrJukebox
	return nil
}

// chases is how often the filer is asked again because a file, or what is behind a name, is another one by then.
const chases = 4

// away is an error of the log, or of the array below it, as one of a file system.
func away(err error) error {
	if err == nil || errors.Is(err, nfs.ErrAway) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", nfs.ErrAway, err)
}
