package witnesses

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"forebay/cachecore/flash"
)

// batches are how places are written: what has gathered while one batch is written goes with the next, and who waits for it goes on together. They are guarded
// by File.mu.
type batches struct {
	pending map[uint32]*image // what places are to have
	leaving []*entry          // that the next batch voids
	batch   map[uint32]*image // what is being written
	taken   uint64            // batches that began
	written uint64            // the last one that ended well
	failed  error             // why there will be no more
}

// leave begins to void an entry, and returns the batch that does it. f.mu is held.
func (f *File) leave(e *entry) (ticket uint64) {
	if e.leaving == 0 {
		e.leaving = f.mu.taken + 1
		f.mu.pending[e.place] = new(image)
		f.mu.leaving = append(f.mu.leaving, e)
	}
	return e.leaving
}

// gone returns when a batch is durable, or else what stores have is condemned. The entries that it voids are of those stores.
func (f *File) gone(ctx context.Context, ticket uint64, stores ...flash.ID) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	err := f.write(ticket, false)
	if err == nil {
		return nil
	}
	for _, id := range stores {
		if err := f.condemn(id); err != nil {
			return fmt.Errorf("witnesses: %w", err)
		}
	}
	return nil
}

// Flush writes what was noted. It is durable only if something of it has to be.
func (f *File) Flush(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	return f.write(0, false)
}

// Close makes what was noted durable, and closes the file. No volume is served any more.
func (f *File) Close() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	err := f.write(0, true)
	f.mu.Lock()
	f.mu.failed = errors.Join(f.mu.failed, errClosed)
	f.mu.Unlock()
	if err = errors.Join(err, f.medium.close()); err != nil {
		return fmt.Errorf("witnesses: %w", err)
	}
	return nil
}

var errClosed = errors.New("the file is closed")

// write writes what is pending, unless the batch with that ticket has been written. The caller has the turn.
func (f *File) write(ticket uint64, durable bool) error {
	f.mu.Lock()
	if ticket != 0 && f.mu.written >= ticket {
		f.mu.Unlock()
		return nil
	}
	if f.mu.failed != nil || len(f.mu.pending) == 0 && !durable {
		defer f.mu.Unlock()
		return f.mu.failed
	}
	pending, leaving := f.mu.pending, f.mu.leaving
	f.mu.pending, f.mu.leaving, f.mu.batch = map[uint32]*image{}, nil, pending
	f.mu.taken++
	f.mu.Unlock()
	err := f.transfer(pending, durable || len(leaving) > 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.mu.failed = err
		f.opts.Log.Error().Err(err).Msg("it can't be noted any more which files of exports are in flash for sure: they are cold after the next start, " +
			"and what flash has of a file that is changed now is given up with all of its pool's")
		return err
	}
	f.mu.written, f.mu.batch = f.mu.taken, nil
	for _, e := range leaving {
		if f.mu.entries[e.name] == e {
			delete(f.mu.entries, e.name)
		}
		f.mu.free = append(f.mu.free, e.place)
	}
	return nil
}

// transfer writes places.
func (f *File) transfer(pending map[uint32]*image, durable bool) error {
	for _, place := range slices.Sorted(maps.Keys(pending)) {
		if err := f.medium.write(pending[place][:], int64(place)*placeSize); err != nil {
			return err
		}
	}
	if durable {
		return f.medium.sync()
	}
	return nil
}

// condemn has no witness of a store count any more. The caller has the turn.
func (f *File) condemn(id flash.ID) error {
	of := func(e *entry) bool { return e.witness.Store == id }
	f.mu.Lock()
	done := !slices.ContainsFunc(slices.Collect(maps.Values(f.mu.entries)), of)
	f.mu.Unlock()
	if done {
		return nil
	}
	if err := f.opts.Condemn(id); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.mu.entries, func(_ name, e *entry) bool { return of(e) })
	return nil
}
