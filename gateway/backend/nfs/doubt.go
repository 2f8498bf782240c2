package nfs

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/nfs/rpc"
)

// doubts are changes of which a copy may be executed later than they were answered, or given up: one that was sent over a connection which was
// lost, or to which no reply has come. NFS has no fence, so what overlaps has to wait until nothing can be on its way any more (PROTOCOL D2).
type doubts struct {
	drain time.Duration // how long it may be on its way after its connection was lost
	count atomic.Int32  // of the list
	mu    sync.Mutex
	list  []*doubt
}

func newDoubts(drain time.Duration) *doubts { return &doubts{drain: drain} }

// doubt is one change. All but spans and certain is set once; those are guarded by doubts.mu.
type doubt struct {
	spans   []span // more of them, once it was made again and has told what it changes
	id      string // of the request: another copy of it does no harm
	certain bool   // it has been done: a copy that comes later changes nothing, as long as nothing has changed in between
	over    chan struct{}
}

// span is what a procedure may change: bytes of a file, or a name or an object's attributes, which have all bytes. Of anything means whatever
// there is to wait with; to be in doubt, those bytes of any file.
type span struct {
	of       string
	from, to uint64
}

const anything = ""

func all(of string) span { return span{of, 0, math.MaxUint64} }

// overlaps says whether s, of who is to wait, is about something of o, which is in doubt.
func (s span) overlaps(o span) bool {
	return (s.of == o.of || s.of == anything || o.of == anything && strings.HasPrefix(s.of, someBytes)) && s.from < o.to && o.from < s.to
}

// use is what a call is about to do.
type use struct {
	spans []span
	id    func() string // nil: it only reads
}

// none says that nothing is in doubt.
func (d *doubts) none() bool { return d.count.Load() == 0 }

// wait returns when nothing in doubt is in the way of u, or ctx ends.
func (d *doubts) wait(ctx context.Context, u use) error {
	for {
		other := d.inTheWay(u)
		if other == nil {
			return nil
		}
		select {
		case <-other.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inTheWay returns a doubt that u has to wait for.
func (d *doubts) inTheWay(u use) *doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, other := range d.list {
		switch {
		case !slices.ContainsFunc(u.spans, func(s span) bool { return slices.ContainsFunc(other.spans, s.overlaps) }):
		case u.id == nil && other.certain:
		case u.id != nil && u.id() == other.id:
		default:
			return other
		}
	}
	return nil
}

// add takes note of a call that is over, if its fate says that a copy of it may be under way. done says that it was answered as done. late
// runs a goroutine.
func (d *doubts) add(u func() use, fate *rpc.Fate, done bool, late func(func())) {
	if fate.Lost.IsZero() && fate.Late == nil {
		return
	}
	about := u()
	one := &doubt{spans: about.spans, id: about.id(), certain: done, over: make(chan struct{})}
	d.mu.Lock()
	d.list = append(d.list, one)
	d.count.Add(1)
	d.mu.Unlock()
	if fate.Late == nil {
		d.endAfter(one, fate.Lost)
		return
	}
	lost, later := fate.Lost, fate.Late
	late(func() {
		if at := <-later; !at.IsZero() { // the client tells in any case
			lost = at
		}
		d.endAfter(one, lost)
	})
}

// done says that a change has been made: earlier copies of it that are in doubt are certain now, and change what it has changed.
func (d *doubts) done(u func() use) {
	if d.none() {
		return
	}
	about := u()
	id := about.id()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list {
		if one.id == id {
			one.spans, one.certain = about.spans, true
		}
	}
}

// endAfter ends a doubt when nothing can be on its way any more that was sent over a connection which was lost at a time; zero: none was.
func (d *doubts) endAfter(one *doubt, lost time.Time) {
	end := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.list = slices.DeleteFunc(d.list, func(other *doubt) bool { return other == one })
		d.count.Add(-1)
		close(one.over)
	}
	if left := d.drain - time.Since(lost); !lost.IsZero() && left > 0 {
		time.AfterFunc(left, end)
	} else {
		end()
	}
}
