package gateway

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	remote "forebay/gateway/backend/nfs"
	"forebay/gateway/export"
	"forebay/protocols/nfs"
)

// files is the open medium of an array that has files: an export of a filer, or a folder.
type files interface {
	nfs.FileSystem
	io.Closer
	Root() nfs.Handle
	Identity() string
}

// filer is a configured array that has files, for all volumes over it. It opens it, tells each trouble once, and is an nfs.FileSystem, which is away
// while there is none. What is open heals itself.
type filer struct {
	name, kind string
	open       func(context.Context) (files, error)
	users      []filerUser // set before run
	log        zerolog.Logger

	mu struct {
		sync.Mutex
		files  files // nil: not open
		calls  *sync.WaitGroup
		reason string // why it is away
		heard  string // why what was opened last says that it is; empty: it doesn't
	}
	opened chan struct{} // closed when it is open for the first time
}

// The kinds of filer. A call to a folder ends when the kernel has done it, be its caller there or not.
const (
	filerNFS       = "nfs"
	filerDirectory = "directory"
)

// filerUser is told of a filer's coming and going, from any goroutine; it must not wait for the filer.
type filerUser interface {
	// filerThere: what is asked from now on reaches it.
	filerThere()
	// filerAway: what is asked from now on waits, or fails.
	filerAway()
	// filerForgot: what it answered and had not been asked to make durable may be gone.
	filerForgot()
}

func newFiler(name, kind string, open func(context.Context) (files, error), log zerolog.Logger) *filer {
	f := &filer{name: name, kind: kind, open: open, log: log.With().Str("array", name).Logger(), opened: make(chan struct{})}
	f.mu.reason = "not attached yet"
	return f
}

// exports are those of the shares over it.
func (f *filer) exports() []*export.Export {
	var list []*export.Export
	for _, u := range f.users {
		if s, ok := u.(*share); ok {
			list = append(list, s.export)
		}
	}
	return list
}

// run opens the medium, and closes it when ctx ends.
func (f *filer) run(ctx context.Context) {
	again := time.NewTicker(retryAttach)
	defer again.Stop()
	for {
		f.listen("")
		opened, err := f.open(ctx)
		if err == nil {
			f.attached(opened)
			<-ctx.Done()
			f.detach()
			return
		}
		if ctx.Err() == nil && f.note(err.Error()) {
			f.log.Warn().Err(err).Msg("array can't be attached; trying again every second")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

func (f *filer) attached(opened files) {
	f.mu.Lock()
	f.mu.files, f.mu.calls, f.mu.reason = opened, new(sync.WaitGroup), f.mu.heard // it may have gone by now
	f.mu.Unlock()
	close(f.opened)
	f.log.Info().Str("kind", f.kind).Str("identity", opened.Identity()).Msg("array attached")
	for _, u := range f.users {
		u.filerThere()
	}
}

// detach closes the medium once its calls have returned.
func (f *filer) detach() {
	f.mu.Lock()
	opened, calls := f.mu.files, f.mu.calls
	f.mu.files, f.mu.reason = nil, "the gateway ends"
	f.mu.Unlock()
	calls.Wait()
	if err := opened.Close(); err != nil {
		f.log.Warn().Err(err).Msg("close the array")
	}
}

// note notes why the array is away, empty if it isn't, and says whether that is news.
func (f *filer) note(reason string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	news := f.mu.reason != reason
	f.mu.reason = reason
	return news
}

// listen keeps what was heard last for when it is attached.
func (f *filer) listen(heard string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.heard = heard
}

// hear takes word from what is open that it is away, or there again.
func (f *filer) hear(available bool, reason string) {
	if available {
		reason = ""
	}
	f.listen(reason)
	if !f.note(reason) {
		return
	}
	if available {
		f.log.Info().Msg("array is back")
	} else {
		f.log.Warn().Str("reason", reason).Msg("array away; it is tried again and again")
	}
	for _, u := range f.users {
		if available {
			u.filerThere()
		} else {
			u.filerAway()
		}
	}
}

// forgot takes word that the array has lost what it had not been asked to make durable.
func (f *filer) forgot() {
	f.log.Warn().Msg("the array has restarted, and may have lost what it was not asked to make durable")
	for _, u := range f.users {
		u.filerForgot()
	}
}

// Do implements nfs.FileSystem.
func (f *filer) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	f.mu.Lock()
	opened, calls := f.mu.files, f.mu.calls
	if opened == nil {
		reason := f.mu.reason
		f.mu.Unlock()
		return fmt.Errorf("%w: array %s: %s", nfs.ErrAway, f.name, reason)
	}
	calls.Add(1)
	f.mu.Unlock()
	defer calls.Done()
	return opened.Do(ctx, c, p, a, r)
}

// remote is the open export of an NFS server.
func (f *filer) remote() (*remote.Filer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if opened, ok := f.mu.files.(*remote.Filer); ok {
		return opened, nil
	}
	return nil, fmt.Errorf("%w: array %s: %s", cachecore.ErrUnavailable, f.name, f.mu.reason)
}

// root is the handle of the root directory, while the medium is open.
func (f *filer) root(context.Context) (nfs.Handle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.files == nil {
		return nil, fmt.Errorf("%w: array %s: %s", nfs.ErrAway, f.name, f.mu.reason)
	}
	return f.mu.files.Root(), nil
}

// openedOnce says whether it has been open in this life.
func (f *filer) openedOnce() bool {
	select {
	case <-f.opened:
		return true
	default:
		return false
	}
}

// state is what the status tells.
func (f *filer) state() (attached bool, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.files != nil && f.mu.reason == "", f.mu.reason
}

func (f *filer) identity() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.files == nil {
		return ""
	}
	return f.mu.files.Identity()
}
