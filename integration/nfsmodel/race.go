package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"forebay/protocols/nfs"
)

// race has all clients make the same name at the same time, and remove it: each time one of them has to win. Somebody lists the folder
// meanwhile: what stays has to be listed exactly once.
type race struct {
	checker *Checker
	dir     *node
	stay    int // files that stay
}

// attempt is one client's, at a name.
type attempt struct {
	proc nfs.Procedure
	args nfs.Message
	lose nfs.Status
}

func (c *Checker) newRace(ctx context.Context, d *node) (*race, error) {
	dir, err := c.folder(ctx, d)
	if err != nil {
		return nil, err
	}
	r := &race{checker: c, dir: dir, stay: 12}
	for range r.stay {
		if _, err := c.file(ctx, dir); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *race) run(ctx context.Context, rounds int) error {
	var over atomic.Bool
	return together(ctx, []func(context.Context) error{
		func(ctx context.Context) error {
			defer over.Store(true)
			for i := range rounds {
				if err := r.round(ctx, i); err != nil {
					return fmt.Errorf("a race: %w", err)
				}
			}
			return nil
		},
		func(ctx context.Context) error {
			for cl := r.checker.clients[0]; !over.Load() && ctx.Err() == nil; {
				if err := r.list(ctx, cl); err != nil {
					return fmt.Errorf("listing during races: %w", err)
				}
			}
			return nil
		}})
}

func (r *race) round(ctx context.Context, i int) error {
	where := nfs.DirOp{Dir: r.dir.handle, Name: fmt.Sprintf("race-%d", i%7)}
	attr := nfs.SetAttr{Mode: nfs.Some(uint32(0o777))}
	lost, won := attempt{nfs.ProcMkdir, &nfs.MkdirArgs{Where: where, Attr: attr}, nfs.ErrExist}, attempt{nfs.ProcRmdir, &where, nfs.ErrNoEnt}
	switch i % 3 {
	case 1:
		lost, won = attempt{nfs.ProcCreate, &nfs.CreateArgs{Where: where, Mode: nfs.Guarded, Attr: attr}, nfs.ErrExist}, attempt{nfs.ProcRemove, &where, nfs.ErrNoEnt}
	case 2:
		lost, won = attempt{nfs.ProcSymlink, &nfs.SymlinkArgs{Where: where, Path: "nowhere"}, nfs.ErrExist}, attempt{nfs.ProcRemove, &where, nfs.ErrNoEnt}
	}
	unsure, err := r.compete(ctx, lost)
	if err != nil || unsure {
		return errors.Join(err, r.clear(ctx, won))
	}
	unsure, err = r.compete(ctx, won)
	if err != nil || unsure {
		return errors.Join(err, r.clear(ctx, won))
	}
	return nil
}

// clear removes what a race without a certain end has left.
func (r *race) clear(ctx context.Context, a attempt) error {
	for {
		_, result := nfs.NewMessages(a.proc)
		err := r.checker.clients[0].do(ctx, a.proc, a.args, result)
		if err != nil && !errors.Is(err, errUnknown) {
			return err
		}
		if err == nil && *nfs.StatusOf(result) == a.lose {
			return nil
		}
	}
}

// compete has every client attempt the same. Who gets no answer may have been the one who won: then nothing is sure.
func (r *race) compete(ctx context.Context, a attempt) (unsure bool, err error) {
	var won, unknown atomic.Int32
	var jobs []func(context.Context) error
	for _, cl := range r.checker.clients {
		jobs = append(jobs, func(ctx context.Context) error {
			_, result := nfs.NewMessages(a.proc)
			err := cl.do(ctx, a.proc, a.args, result)
			switch status := nfs.StatusOf(result); {
			case errors.Is(err, errUnknown):
				unknown.Add(1)
				return r.checker.waitForStragglers(ctx)
			case err != nil:
				return err
			case *status == nfs.OK:
				won.Add(1)
			case *status == nfs.ErrStale && a.lose == nfs.ErrNoEnt: // what it found has gone before it could remove it
			case *status != a.lose:
				return fmt.Errorf("%s by client %d: %s, want NFS3_OK or %s", a.proc, cl.number, statusText(*status), statusText(a.lose))
			}
			return nil
		})
	}
	if err := together(ctx, jobs); err != nil {
		return false, err
	}
	w, u := won.Load(), unknown.Load()
	if w > 1 && u == 0 || w == 0 && u == 0 {
		return false, fmt.Errorf("%s of one name by %d clients at the same time: %d won", a.proc, len(jobs), w)
	}
	return u > 0, nil
}

// list lists the folder, in small pages.
func (r *race) list(ctx context.Context, cl *client) error {
	seen := make(map[string]int)
	a := nfs.ReadDirArgs{Dir: r.dir.handle, Count: 512}
	for {
		var page nfs.ReadDirResult
		if err := cl.do(ctx, nfs.ProcReadDir, &a, &page); err != nil {
			return err
		}
		if page.Status == nfs.ErrBadCookie || page.Status == nfs.ErrNoEnt && r.checker.opts.LooseListings {
			return nil
		}
		if page.Status != nfs.OK || len(page.Entries) == 0 && !page.EOF {
			return fmt.Errorf("READDIR from %d: %s, %d entries", a.Cookie, statusText(page.Status), len(page.Entries))
		}
		for _, e := range page.Entries {
			seen[e.Name]++
			a.Cookie = e.Cookie
		}
		a.Verifier = page.Verifier
		if page.EOF {
			break
		}
	}
	for name := range r.dir.entries {
		if n := seen[name]; n != 1 && !r.checker.opts.LooseListings {
			return fmt.Errorf("%s, which was there all the time, is listed %d times", name, n)
		}
	}
	return nil
}
