package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// target is what a run drives, and the part of it that the run may use.
type target struct {
	opts     Options
	endpoint Endpoint
	device   device
	name     string // the URL without secrets
	block    int    // bytes: offsets and lengths are multiples
	first    int64  // bytes: where the working set begins
	length   int64  // bytes of the working set
	sessions []session
}

// device is what a URL names: a LUN (lun.go), or a file on an NFS server (file.go).
type device interface {
	name() string // the URL without secrets
	geometry() geometry
	sessions() []session
	counts() counts
	close() // nothing is under way
}

type geometry struct {
	kind  string // for messages
	block int    // bytes
	size  int64  // bytes
	hint  string // what to do if that is too little
}

// counts are what happened to a device behind the commands' backs.
type counts struct {
	reconnects int // sessions that were opened again
	verifiers  int // times that an NFS server had another write verifier (RFC 1813 4.8)
}

// session is a connection to a device, which is opened again when it is lost, if that is wanted. Many goroutines use it.
type session interface {
	// transfer reads or writes data at an offset in bytes. What was not executed is tried again; with Reconnect, so is what may be
	// executed twice. When a write has returned it can't land any more; an unknownError says that it may have.
	transfer(ctx context.Context, offset int64, data []byte, write bool) error
	// flush makes what was written durable.
	flush(ctx context.Context) error
	// command returns a command with what it will write, and may read into.
	command(data []byte, done func(error)) command
}

// command is submitted again and again: the load's way, which allocates nothing and needs no goroutine. It is one goroutine's at a time,
// from submit until done the session's.
type command interface {
	// submit transfers the data. done is called once, with a *passingError or *lostError if it was that; it must not block.
	submit(offset int64, write bool)
	// renew readies a command that was lost: it opens the session again, unless that has been done.
	renew(ctx context.Context) error
}

// passingError is a command that was not executed and may be tried again.
type passingError struct {
	error
	later bool // after a moment
}

func (e *passingError) Unwrap() error { return e.error }

// lostError is a command that was lost with its connection.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// unknownError is a write of which nobody knows whether it was executed.
type unknownError struct{ error }

func (e *unknownError) Unwrap() error { return e.error }

// open opens the sessions and finds out about the device.
func open(ctx context.Context, o Options, e Endpoint) (*target, error) {
	d, err := openDevice(ctx, o, e)
	if err != nil {
		return nil, err
	}
	t := &target{opts: o, endpoint: e, device: d, name: d.name(), sessions: d.sessions()}
	if err := t.place(d.geometry()); err != nil {
		d.close()
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return t, nil
}

func openDevice(ctx context.Context, o Options, e Endpoint) (device, error) {
	switch scheme, _, _ := strings.Cut(e.URL, ":"); scheme {
	case "iscsi":
		return openLUN(ctx, o, e)
	case "nfs":
		return openFile(ctx, o, e)
	}
	return nil, errors.New("want iscsi:// or nfs://") // what it is may hold a secret
}

func isNFS(url string) bool { return strings.HasPrefix(url, "nfs:") }

// place settles where the working set lies on a device.
func (t *target) place(g geometry) error {
	o := t.opts
	t.block = g.block
	unit := int64(g.block)
	if b := int64(o.BlockSize); b > 0 {
		if b%unit != 0 {
			return fmt.Errorf("the %s has blocks of %d bytes: block-size must be a multiple", g.kind, unit)
		}
		unit = b
	}
	t.first, t.length = o.Offset, o.WorkingSet
	if t.length == 0 {
		t.length = g.size - t.first
		if o.Verify {
			t.length = min(t.length, verifyWorkingSet)
		}
	}
	switch {
	case t.first%int64(g.block) != 0:
		return fmt.Errorf("the %s has blocks of %d bytes: offset must be a multiple", g.kind, g.block)
	case t.first+t.length > g.size || t.length <= 0:
		return fmt.Errorf("the %s has %s: a working set of %s at %s does not fit%s", g.kind, formatSize(g.size), formatSize(o.WorkingSet), formatSize(t.first), g.hint)
	case o.Verify && t.length > maxVerifySet:
		return fmt.Errorf("a working set of more than %s can't be verified", formatSize(maxVerifySet))
	}
	t.length -= t.length % unit
	if o.Verify && !o.Shared && t.length/unit < int64(o.Sessions) {
		return fmt.Errorf("a working set of %s has no part for each of %d sessions", formatSize(t.length), o.Sessions)
	}
	if t.length < unit {
		return fmt.Errorf("a working set of %s has no room for a block of %s", formatSize(o.WorkingSet), formatSize(unit))
	}
	return nil
}

// again dials until that succeeds, for as long as a server may take to restart.
func again(ctx context.Context, dial func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, reconnectPatience)
	defer cancel()
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		err := dial(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("connecting again: %w", err)
		}
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func isPassing(err error) (later, ok bool) {
	var e *passingError
	if errors.As(err, &e) {
		return e.later, true
	}
	return false, false
}
