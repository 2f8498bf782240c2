package witnesses

import (
	"context"
	"slices"

	"forebay/cachecore/flash"
	"forebay/protocols/nfs"
)

// Volume are the witnesses of one volume's files.
type Volume struct {
	file *File
	id   Hash
}

// Of are those of the volume of that name.
func (f *File) Of(volume string) *Volume { return &Volume{f, HashOf(volume)} }

// Find returns a file's witness, if there is one.
func (v *Volume) Find(h nfs.Handle) (Witness, bool) {
	f := v.file
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.mu.entries[name{v.id, string(h)}]
	if e == nil || e.leaving > 0 {
		return Witness{}, false
	}
	f.mu.uses++
	e.used = f.mu.uses
	return e.witness, true
}

// Put notes a file's witness, in place of the one that it may have, and says whether it did. It waits for nothing; Flush writes it.
func (v *Volume) Put(h nfs.Handle, w Witness) bool {
	f, of := v.file, name{v.id, string(h)}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.mu.entries[of]
	if f.mu.failed != nil || len(h) == 0 || len(h) > nfs.MaxHandle || e != nil && e.leaving > 0 {
		return false
	}
	if e == nil {
		n := len(f.mu.free)
		if n == 0 {
			f.makeRoom()
			return false
		}
		e = &entry{name: of, place: f.mu.free[n-1]}
		f.mu.free = f.mu.free[:n-1]
		f.mu.entries[of] = e
	}
	f.mu.uses++
	e.witness, e.used = w, f.mu.uses
	f.mu.pending[e.place] = encode(e.place, of, &w)
	return true
}

// Void takes a file's witness back. When it has returned nil no start will find it, after any end.
func (v *Volume) Void(ctx context.Context, h nfs.Handle) error {
	f := v.file
	f.mu.Lock()
	e := f.mu.entries[name{v.id, string(h)}]
	if e == nil {
		f.mu.Unlock()
		return nil
	}
	ticket := f.leave(e)
	f.mu.Unlock()
	return f.gone(ctx, ticket, e.witness.Store)
}

// Forget is Void of all files of the volume.
func (v *Volume) Forget(ctx context.Context) error {
	f := v.file
	var stores []flash.ID
	var ticket uint64
	f.mu.Lock()
	for _, e := range f.mu.entries {
		if e.volume == v.id {
			ticket = max(ticket, f.leave(e))
			if !slices.Contains(stores, e.witness.Store) {
				stores = append(stores, e.witness.Store)
			}
		}
	}
	f.mu.Unlock()
	if stores == nil {
		return nil
	}
	return f.gone(ctx, ticket, stores...)
}

// Flush writes what was noted.
func (v *Volume) Flush(ctx context.Context) error { return v.file.Flush(ctx) }
