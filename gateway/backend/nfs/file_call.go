package nfs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
)

var root = &wire.Caller{}

// find walks a path from the export's root to a regular file.
func (f *Filer) find(ctx context.Context, path string) (wire.Handle, *wire.Attr, error) {
	h, attr := f.root, (*wire.Attr)(nil)
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
			return nil, nil, errors.New("a path must not lead back")
		}
		var r wire.LookupResult
		if err := f.Do(ctx, root, wire.ProcLookup, &wire.DirOp{Dir: h, Name: name}, &r); err != nil {
			return nil, nil, arrayError(err)
		}
		if r.Status != wire.OK {
			return nil, nil, fmt.Errorf("LOOKUP %q: %w", name, r.Status)
		}
		h, attr = r.Object, nil
		if r.Attr.Follows {
			attr = &r.Attr.Value
		}
	}
	if attr == nil {
		var r wire.GetAttrResult
		if err := f.Do(ctx, root, wire.ProcGetAttr, &wire.HandleArgs{Object: h}, &r); err != nil {
			return nil, nil, arrayError(err)
		}
		if r.Status != wire.OK {
			return nil, nil, fmt.Errorf("GETATTR: %w", r.Status)
		}
		attr = &r.Attr
	}
	if attr.Type != wire.Regular {
		return nil, nil, errors.New("not a regular file")
	}
	return h, attr, nil
}

// arrayError is how a call without an answer ends, in the array's words. What may yet be executed doesn't get in the way of a later call
// (doubt.go): to be away is all that is to be said.
func arrayError(err error) error {
	switch {
	case errors.Is(err, wire.ErrAway):
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, err)
	case errors.Is(err, wire.ErrOutcomeUnknown):
		return fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, err)
	}
	return err
}

const (
	firstRetry = 50 * time.Millisecond
	longRetry  = time.Second
)

// do executes a procedure, and waits for a filer that asks for it.
func (f *File) do(ctx context.Context, p wire.Procedure, a, r wire.Message) error {
	var room []byte
	if read, ok := r.(*wire.ReadResult); ok {
		room = read.Data
	}
	deadline := time.Now().Add(f.filer.opts.Patience)
	for pause := firstRetry; ; pause = min(2*pause, longRetry) {
		if err := f.filer.Do(ctx, root, p, a, r); err != nil {
			return fmt.Errorf("%s: %w", f.opts.Path, arrayError(err))
		}
		status := *wire.StatusOf(r)
		if status == wire.OK {
			return nil
		}
		if status != wire.ErrJukebox || time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("%s: %v: %w", f.opts.Path, p, statusError(status))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		if read, ok := r.(*wire.ReadResult); ok {
			read.Data = room
		}
	}
}

// statusError is a status in the array's words; what has none there is a medium error.
func statusError(s wire.Status) error {
	switch s {
	case wire.ErrNoSpc, wire.ErrDQuot:
		return fmt.Errorf("%w: %w", cachecore.ErrNoSpace, s)
	case wire.ErrROFS:
		return fmt.Errorf("%w: %w", cachecore.ErrReadOnly, s)
	case wire.ErrJukebox:
		return fmt.Errorf("%w: %w", cachecore.ErrUnavailable, s)
	case wire.ErrStale, wire.ErrBadHandle: // removed, or another file system in its place
		return fmt.Errorf("%w: %w: %w", cachecore.ErrUnavailable, cachecore.ErrIdentity, s)
	}
	return s
}
