package witnesses

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"forebay/cachecore/flash"
)

// Options are how a File is opened.
type Options struct {
	// Keep says whether a witness may be used in this life: its volume is served over that store. The others are voided. It must be given.
	Keep func(volume Hash, store flash.ID) bool
	// Condemn notes, durably and not in the file, that what a store has must never be served again. It must be given.
	Condemn func(flash.ID) error
	Most    int // witnesses; 0: 32768
	Log     zerolog.Logger
}

const defaultMost = 1 << 15

// File has the witnesses of a gateway. It is safe for concurrent use.
type File struct {
	opts Options
	turn chan struct{} // has one of who writes

	medium medium // of who has the turn
	mu     struct {
		sync.Mutex
		entries map[name]*entry
		free    []uint32 // places
		uses    uint64
		batches
	}
}

// entry is a witness.
type entry struct {
	name
	witness Witness
	place   uint32
	used    uint64 // when
	leaving uint64 // the batch that voids it; 0: none does
}

// Open opens the file at a path, and makes one if there is none.
func Open(path string, o Options) (*File, error) {
	m, err := openDisk(path)
	if err != nil {
		return nil, fmt.Errorf("witnesses: %w", err)
	}
	f, err := open(m, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("witnesses: %w", err), m.close())
	}
	return f, nil
}

func open(m medium, o Options) (*File, error) {
	o.Most = cmp.Or(o.Most, defaultMost)
	f := &File{opts: o, turn: make(chan struct{}, 1), medium: m}
	f.mu.entries, f.mu.pending = map[name]*entry{}, map[uint32]*image{}
	found, err := f.load(int64(o.Most+1) * placeSize)
	if err != nil {
		return nil, err
	}
	f.enter(found)
	return f, f.Flush(context.Background())
}

// load reads the file, and makes it as long as it will ever be: a full disk must not keep a witness from being voided.
func (f *File) load(size int64) (map[uint32]entry, error) {
	content, err := f.medium.load(size)
	if err != nil {
		return nil, err
	}
	found, ok := read(content)
	if ok && int64(len(content)) == size {
		return found, nil
	}
	whole, from := make([]byte, size), 0
	if ok {
		from = len(content) &^ (placeSize - 1) // what is there of a place must not become one
	}
	copy(whole, header()[:])
	return found, errors.Join(f.medium.write(whole[from:], int64(from)), f.medium.sync())
}

// enter takes in what was found.
func (f *File) enter(found map[uint32]entry) {
	for place := uint32(f.opts.Most); place > 0; place-- {
		e, there := found[place]
		if !there {
			f.mu.free = append(f.mu.free, place)
			continue
		}
		if other := f.mu.entries[e.name]; other != nil {
			f.leave(&e)
			f.leave(other)
			continue
		}
		if f.mu.entries[e.name] = &e; !f.opts.Keep(e.volume, e.witness.Store) {
			f.leave(&e)
		}
	}
}

// Count is how many witnesses a kill of the process would leave for sure: not those on their way into the file, or out of it.
func (f *File) Count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.mu.entries {
		if f.mu.pending[e.place] == nil && f.mu.batch[e.place] == nil {
			n++
		}
	}
	return n
}

// makeRoom voids those that were not used for longest, with the next batch. f.mu is held.
func (f *File) makeRoom() {
	if len(f.mu.leaving) > 0 {
		return
	}
	list := make([]*entry, 0, len(f.mu.entries))
	for _, e := range f.mu.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.used, b.used) })
	for _, e := range list[:(len(list)+15)/16] {
		f.leave(e)
	}
}
