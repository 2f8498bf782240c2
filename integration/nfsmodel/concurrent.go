package nfsmodel

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"forebay/protocols/nfs"
)

// What RunConcurrent has at a time, beside the races: subtrees and shared files in total, and workers for each client.
const (
	subtrees     = 2
	sharedFiles  = 2
	workersEach  = 3
	raceShare    = 20 // one of so many operations is a race
	subtreeShare = 4  // one of so many is asked in each subtree
)

// RunConcurrent asks about n things, many at a time, in a new folder. What there was before stays untouched. When it is over, the model is
// exact again. Which things are asked is the seed's affair, in which order they meet is not.
func (c *Checker) RunConcurrent(ctx context.Context, n int) error {
	if err := c.stopListing(ctx); err != nil {
		return err
	}
	round, err := c.folder(ctx, c.base)
	if err != nil {
		return err
	}
	var jobs []func(context.Context) error
	forks, err := c.forkInto(ctx, round)
	if err != nil {
		return err
	}
	for _, f := range forks {
		jobs = append(jobs, func(ctx context.Context) error { return f.runAndCommit(ctx, n/subtreeShare) })
	}
	files, err := c.shareInto(ctx, round)
	if err != nil {
		return err
	}
	workers := workersEach * len(c.clients)
	for i := range workers {
		w := &worker{client: c.clients[i%len(c.clients)], files: files, random: c.offspring(), straggle: c.opts.Straggle}
		jobs = append(jobs, func(ctx context.Context) error { return w.run(ctx, n/workers) })
	}
	race, err := c.newRace(ctx, round)
	if err != nil {
		return err
	}
	jobs = append(jobs, func(ctx context.Context) error { return race.run(ctx, max(1, n/raceShare)) })
	if err := together(ctx, jobs); err != nil {
		return fmt.Errorf("seed %d, many at a time: %w", c.opts.Seed, err)
	}
	return c.join(ctx, forks, files, race)
}

// join takes over what was done many at a time.
func (c *Checker) join(ctx context.Context, forks []*Checker, files []*sharedFile, r *race) error {
	for _, f := range forks {
		c.live = append(c.live, f.live[1:]...)
		c.count = max(c.count, f.count)
	}
	for _, f := range files {
		if err := c.settleShared(ctx, f); err != nil {
			return err
		}
	}
	r.dir.unsure()
	return c.after(ctx, c.list(ctx, c.clients[0], r.dir, true))
}

// together runs jobs until all have ended. The first error ends the others.
func together(ctx context.Context, jobs []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, job := range jobs {
		all.Go(func() {
			if err := job(ctx); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// offspring is randomness of its own, of the same seed.
func (c *Checker) offspring() *rand.Rand {
	return rand.New(rand.NewPCG(c.random.Uint64(), c.random.Uint64()))
}

// newName is one that nothing was called so far.
func (c *Checker) newName() string {
	c.made++
	return fmt.Sprintf("new-%d", c.made)
}

// folder makes a folder in d that everybody may write.
func (c *Checker) folder(ctx context.Context, d *node) (*node, error) {
	cl, p := c.clients[0], place{d, c.newName()}
	n := made(cl, nfs.Directory)
	attr := nfs.SetAttr{Mode: nfs.Some(uint32(0o777))}
	n.set(&attr)
	for p.at() == nil {
		if err := c.after(ctx, c.mkdirAt(ctx, cl, p, n, attr)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// file makes an empty file in d that everybody may write.
func (c *Checker) file(ctx context.Context, d *node) (*node, error) {
	p := place{d, c.newName()}
	for p.at() == nil {
		if err := c.after(ctx, c.createAt(ctx, c.clients[0], p, nfs.Exclusive)); err != nil {
			return nil, err
		}
	}
	n, attr := p.at(), nfs.SetAttr{Mode: nfs.Some(uint32(0o666))}
	for n.mode != 0o666 {
		if err := c.after(ctx, c.setAttrOf(ctx, c.clients[0], n, attr, false)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// forkInto makes checkers that share the clients, each with a folder in d of its own. Until they are joined they own what is in it.
func (c *Checker) forkInto(ctx context.Context, d *node) ([]*Checker, error) {
	var forks []*Checker
	for range subtrees {
		base, err := c.folder(ctx, d)
		if err != nil {
			return nil, err
		}
		f := *c
		f.base, f.live, f.dead, f.recent, f.random = base, []*node{base}, nil, nil, c.offspring()
		f.opts.Disturb = nil
		forks = append(forks, &f)
	}
	return forks, nil
}

func (c *Checker) runAndCommit(ctx context.Context, n int) error {
	if err := c.Run(ctx, n); err != nil {
		return err
	}
	if err := c.stopListing(ctx); err != nil {
		return err
	}
	return c.Commit(ctx)
}

// stopListing ends the listing under way.
func (c *Checker) stopListing(ctx context.Context) error {
	for c.cursor != nil {
		if err := c.after(ctx, c.listOn(ctx)); err != nil {
			return err
		}
	}
	return nil
}
