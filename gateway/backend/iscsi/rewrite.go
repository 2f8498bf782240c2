package iscsi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"forebay/protocols/iscsi/initiator"
)

// maxAtATime is how many changes are written again at a time.
const maxAtATime = 32

// rewrite writes again what was answered and may be lost (PROTOCOL E1).
func (a *Array) rewrite(ctx context.Context, p *path, s *initiator.Session) error {
	a.mu.Lock()
	needed := a.mu.todo.rewrite
	a.mu.Unlock()
	if !needed {
		return nil
	}
	list, murky := a.retained.unflushed()
	for some := range slices.Chunk(latest(list), maxAtATime) {
		if err := a.writeAgain(ctx, p, s, some); err != nil {
			return fmt.Errorf("write again what was not flushed: %w", err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.todo.rewrite = false
	a.mu.untold.unproven = a.mu.untold.unproven || murky
	if len(list) > 0 {
		a.opts.Log.Info().Str("target", a.opts.Target).Int("changes", len(list)).Msg("what was not flushed has been written to the array again")
	}
	return nil
}

// latest are the parts of changes, given oldest first, that no later one has changed again. Nothing else is written: what is older than what the
// array may have, durably even, must not be there for a moment, as that may be our last. No part overlaps another, so they may go together
// (PROTOCOL B7).
func latest(list []*change) (parts []*change) {
	var later spans
	for _, c := range slices.Backward(list) {
		for _, s := range later.add(c.off, c.off+c.len) {
			parts = append(parts, c.part(s))
		}
	}
	return parts
}

// part is what c changes of a span within its own. Its data is c's.
func (c *change) part(s span) *change {
	p := &change{kind: c.kind, off: s.from, len: s.to - s.from}
	if c.data != nil {
		p.data = c.data[s.from-c.off : s.to-c.off]
	}
	return p
}

func (a *Array) writeAgain(ctx context.Context, p *path, s *initiator.Session, list []*change) error {
	l := a.limits.Load()
	failed := make([]error, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() { failed[i] = a.issueAll(ctx, p, s, c, l) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// issueAll issues a change as the controller of the path takes it, which may be another than the one that took it: in parts, or as a write of zeros.
func (a *Array) issueAll(ctx context.Context, p *path, s *initiator.Session, c *change, l *limits) error {
	for off, end := c.off, c.off+c.len; off < end; {
		to := min(end, off+l.longest(c.kind))
		part := c.part(span{off, to})
		err := a.issue(ctx, p, s, part, l)
		if c.kind != write && initiator.IsUnsupported(err) {
			err = a.issueZeros(ctx, p, s, part, l)
		}
		if err != nil {
			return err
		}
		off = to
	}
	return nil
}

// issueZeros writes the zeros of a change for which this controller has no command.
func (a *Array) issueZeros(ctx context.Context, p *path, s *initiator.Session, c *change, l *limits) error {
	z := &change{kind: write, off: c.off, len: c.len, data: make([]byte, min(c.len, l.longest(write)))}
	for end := c.off + c.len; z.off < end; z.off += z.len {
		z.len = min(int64(len(z.data)), end-z.off)
		z.data = z.data[:z.len]
		if err := a.issue(ctx, p, s, z, l); err != nil {
			return err
		}
	}
	return nil
}

// issue issues one change on a session, as often as the array puts it off.
func (a *Array) issue(ctx context.Context, p *path, s *initiator.Session, change *change, l *limits) error {
	c := &initiator.Command{LUN: a.opts.LUN}
	t := tries{patience: a.opts.Patience}
	for {
		l.compose(c, change.kind, change.data, change.off, change.len)
		err := s.Do(ctx, c)
		v := judge(ctx, err, true)
		if v.inDoubt {
			a.mu.Lock()
			a.doubt(p, s)
			a.mu.Unlock()
		}
		switch v.do {
		case settle:
			return nil
		case busy, retry, again:
			if err := t.next(ctx, a.life, v, err); err != nil {
				return err
			}
		default:
			return err
		}
	}
}
