package staged

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs"
)

// commits is how many files are committed at a time.
const commits = 16

// errUncommitted: files were written to, and the filer won't commit that. It is to be written again, and is saved then.
var errUncommitted = fmt.Errorf("the filer refuses to commit what it has taken: %w", writeback.ErrAgain)

// Flush implements cachecore.Array: it has every file committed that was written to. The destager's and others' may be under way at a time, and the destager
// may go on writing during others'.
func (p *space) Flush(ctx context.Context) error {
	p.mu.Lock()
	list := maps.Clone(p.mu.written)
	p.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(commits)
	var again atomic.Bool
	for f, times := range list {
		group.Go(func() error {
			attr, refused, err := p.commit(ctx, f)
			if err != nil {
				return err
			}
			if refused != nil {
				f.refuse(refused)
				p.life.Add(1) // so that the destager writes it again, whoever is told
				again.Store(true)
			}
			p.committed(f, times, attr)
			return nil
		})
	}
	err := group.Wait()
	if err == nil && again.Load() {
		return errUncommitted
	}
	return err
}

// committed takes in that what was written to a file so many times has been committed, unless it was written to since.
func (p *space) committed(f *file, times uint, attr *nfs.Attr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.written[f] == times {
		delete(p.mu.written, f)
		f.moved(p.system.next(), attr)
	}
}

// commit has the filer make durable what was written to a file, and returns what the file looks like by now, if it says so; or else, that it refuses it
// for good.
func (p *space) commit(ctx context.Context, f *file) (attr *nfs.Attr, refused, err error) {
	c := f.carriedBy()
	var r nfs.CommitResult
	err = p.call(ctx, &c, nfs.ProcCommit, &nfs.CommitArgs{File: f.handle}, &r)
	switch {
	case err != nil && forGood(err):
		return nil, err, nil
	case err != nil:
		return nil, nil, err
	}
	p.vouch(r.Verifier)
	if r.Wcc.After.Follows {
		return &r.Wcc.After.Value, nil, nil
	}
	var got nfs.GetAttrResult
	err = p.call(ctx, &c, nfs.ProcGetAttr, &nfs.HandleArgs{Object: f.handle}, &got)
	switch {
	case err == nil:
		return &got.Attr, nil, nil
	case forGood(err): // it is gone by now
		return nil, nil, nil
	}
	return nil, nil, err
}
