package export

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	roundEvery    = 2 * time.Second
	mostOfRound   = 256             // files that the array is asked about
	askPatience   = 5 * time.Second // with the array, for each of them
	lastPatience  = 4 * time.Second // at the end, for all
	lastAtOnce    = 32
	flushPatience = time.Second
	askAgain      = time.Minute // a file about which the array had no answer
)

// Run takes witnesses of what flash has, until ctx ends or the export is closed. Without witnesses there is nothing to do.
func (e *Export) Run(ctx context.Context) {
	if e.opts.Witnesses == nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	again := time.NewTicker(roundEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			e.round(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// round looks after all files, as far as it comes.
func (e *Export) round(ctx context.Context) {
	e.rounds.Lock()
	defer e.rounds.Unlock()
	list := e.table.all()
	if s := e.flash(); s == nil || s.Err() != nil || len(list) == 0 {
		return
	}
	if e.lower().isKnown() {
		for _, n := range list {
			n.ripen(true)
		}
	}
	for i, asked, from := 0, 0, rand.IntN(len(list)); i < len(list) && asked < mostOfRound; i++ {
		n := list[(i+from)%len(list)]
		if !n.due(time.Now(), quiet) || !e.table.keep(n) {
			continue
		}
		asked++
		err := e.tend(ctx, n, quiet)
		e.table.letGo(n)
		if err != nil {
			break // the others have their turn when this one hasn't
		}
	}
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	_ = e.opts.Witnesses.Flush(ctx) // it says so itself
}

// takeLast takes witnesses at the end of all files that can have one: first of those that are as they were, then of those whose attributes were seen for the
// first time less than a grain ago.
func (e *Export) takeLast(ctx context.Context) {
	if s := e.flash(); e.opts.Witnesses == nil || s == nil || s.Err() != nil {
		return
	}
	e.rounds.Lock()
	defer e.rounds.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lastPatience)
	defer cancel()
	_, list := e.unproven()
	e.tendAll(ctx, list)
	settled, list := e.unproven()
	if len(list) > 0 {
		select {
		case <-time.After(time.Until(settled)):
			e.tendAll(ctx, list)
		case <-ctx.Done():
		}
	}
	_ = e.opts.Witnesses.Flush(ctx)
}

// unproven are the files that lack a witness and can have one, and when.
func (e *Export) unproven() (settled time.Time, list []*node) {
	now := time.Now()
	for _, n := range e.table.all() {
		if at, ok := n.settles(now); ok {
			list = append(list, n)
			if settled.Before(at) {
				settled = at
			}
		}
	}
	return settled, list
}

// tendAll does what is due for files that nobody changes any more.
func (e *Export) tendAll(ctx context.Context, list []*node) {
	var group errgroup.Group
	group.SetLimit(lastAtOnce)
	for _, n := range list {
		group.Go(func() error {
			if e.table.keep(n) {
				defer e.table.letGo(n)
				_ = e.tend(ctx, n, 0)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// due says whether there is something to be done for a file.
func (n *node) due(now time.Time, alone time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, u := n.provable(now, alone)
	return !now.Before(n.mu.trust.later) && (n.ripe(now) || u != nil && !now.Before(n.mu.trust.seen.Add(grain)))
}

// settles says when a file can have a witness that lacks one.
func (n *node) settles(now time.Time) (at time.Time, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, u := n.provable(now, 0)
	return n.mu.trust.seen.Add(grain), u != nil
}
