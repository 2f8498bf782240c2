package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// target is a LUN with the sessions that drive it.
type target struct {
	opts      Options
	endpoint  Endpoint
	name      string // the URL without secrets
	lun       uint16
	block     int   // bytes of a logical block
	first     int64 // bytes: where the working set begins
	length    int64 // bytes of the working set
	sessions  []*connection
	reconnect int // sessions logged in again; guarded by mu
	mu        sync.Mutex
}

// connection is a session that can be logged in to again, as the same initiator port: that ends what the target still has of the
// old one (session reinstatement, RFC 7143 6.3.5).
type connection struct {
	t       *target
	options initiator.Options

	mu      sync.Mutex // held while logging in again
	session *initiator.Session
}

// open logs in, and finds out about the LUN.
func open(ctx context.Context, o Options, e Endpoint) (*target, error) {
	u, io, err := o.initiatorOptions(e)
	if err != nil {
		return nil, err
	}
	t := &target{opts: o, endpoint: e, lun: u.LUN, name: fmt.Sprintf("iscsi://%s/%s/%d", u.Portal, u.Target, u.LUN)}
	for range o.Sessions {
		_, _ = rand.Read(io.ISID[1:]) // never fails
		io.ISID[0] = 0x80             // random (RFC 7143 11.12.5)
		s, err := initiator.Dial(ctx, io)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		t.sessions = append(t.sessions, &connection{t: t, options: io, session: s})
	}
	if err := t.inspect(ctx); err != nil {
		t.close()
		return nil, fmt.Errorf("%s: %w", t.name, err)
	}
	return t, nil
}

func (t *target) inspect(ctx context.Context) error {
	for _, c := range t.sessions {
		if err := c.session.Ready(ctx, t.lun); err != nil {
			var status *initiator.StatusError
			if errors.As(err, &status) && status.Key == initiator.SenseIllegal && status.ASC == 0x25 {
				return fmt.Errorf("there is no LUN %d", t.lun)
			}
			return err
		}
	}
	capacity, err := t.sessions[0].session.Capacity(ctx, t.lun)
	if err != nil {
		return err
	}
	t.block = capacity.BlockSize
	return t.place(capacity.Size())
}

// place settles where the working set lies on a LUN.
func (t *target) place(size int64) error {
	o := t.opts
	unit := int64(t.block)
	if b := int64(o.BlockSize); b > 0 {
		if b%unit != 0 {
			return fmt.Errorf("the LUN has blocks of %d bytes: block-size must be a multiple", unit)
		}
		unit = b
	}
	t.first, t.length = o.Offset, o.WorkingSet
	if t.length == 0 {
		t.length = size - t.first
		if o.Verify {
			t.length = min(t.length, verifyWorkingSet)
		}
	}
	switch {
	case t.first%int64(t.block) != 0:
		return fmt.Errorf("the LUN has blocks of %d bytes: offset must be a multiple", t.block)
	case t.first+t.length > size || t.length <= 0:
		return fmt.Errorf("the LUN has %s: a working set of %s at %s does not fit", formatSize(size), formatSize(o.WorkingSet), formatSize(t.first))
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

func (t *target) close() {
	var all sync.WaitGroup
	for _, c := range t.sessions {
		all.Go(func() { _ = c.current().Close() }) // what matters was said by the commands
	}
	all.Wait()
}

func (c *connection) current() *initiator.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// renew logs in again, unless somebody else has since broken was current. It tries for as long as a target may take to restart.
func (c *connection) renew(ctx context.Context, broken *initiator.Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != broken {
		return nil
	}
	broken.Abandon()
	ctx, cancel := context.WithTimeout(ctx, reconnectPatience)
	defer cancel()
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		s, err := initiator.Dial(ctx, c.options)
		if err == nil {
			c.session = s
			c.t.mu.Lock()
			c.t.reconnect++
			c.t.mu.Unlock()
			return nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("logging in again: %w", err)
		}
	}
}

// reconnects counts the sessions that were logged in again.
func (t *target) reconnects() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reconnect
}

// passing says whether a command with this status was not executed and may be tried again.
func passing(err error) bool {
	var e *initiator.StatusError
	return initiator.IsUnitAttention(err) ||
		errors.As(err, &e) && (e.Status == initiator.StatusBusy || e.Status == initiator.StatusTaskSetFull)
}
