package server

import (
	"slices"
	"time"
)

// doubt is a call that may have been executed, and whose client doesn't know what came of it.
type doubt struct {
	id    CallID
	told  bool // the client was told to ask again: it may do so under another XID
	since time.Time
}

// doubts are the calls in doubt, the oldest first. There are few of them, and hardly ever any.
type doubts []doubt

const maxDoubts = 4096

func (l *doubts) add(d doubt) {
	if len(*l) == maxDoubts {
		*l = slices.Delete(*l, 0, 1)
	}
	*l = append(*l, d)
}

// claim takes out the doubt that a call settles, and returns what the call was named then; nil if there is none. Of two that fit, it is the one with
// the call's own XID.
func (l *doubts) claim(id CallID) *CallID {
	at := l.find(id)
	if at < 0 {
		at = slices.IndexFunc(*l, func(d doubt) bool { return d.told && d.id.but(id.XID) == id })
	}
	if at < 0 {
		return nil
	}
	was := (*l)[at].id
	*l = slices.Delete(*l, at, at+1)
	return &was
}

// but is a call under another XID.
func (id CallID) but(xid uint32) CallID {
	id.XID = xid
	return id
}

func (l *doubts) find(id CallID) int {
	return slices.IndexFunc(*l, func(d doubt) bool { return d.id == id })
}

// drop takes a call out.
func (l *doubts) drop(id CallID) {
	if at := l.find(id); at >= 0 {
		*l = slices.Delete(*l, at, at+1)
	}
}

// expire takes out what has been in doubt since before a time, and returns it.
func (l *doubts) expire(before time.Time) (over []CallID) {
	for len(*l) > 0 && (*l)[0].since.Before(before) {
		over = append(over, (*l)[0].id)
		*l = slices.Delete(*l, 0, 1)
	}
	return over
}
