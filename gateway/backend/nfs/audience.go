package nfs

import (
	"slices"
	"sync"
)

// audience are those who hear of a filer's events, one event at a time.
type audience struct {
	telling sync.Mutex // held while they are told
	list    []*listener
}

type listener struct{ hear func(Event) }

// add has hear called with every event from now on, until the listener is removed; with what now returns to begin with, if that isn't nil.
func (a *audience) add(hear func(Event), now func() Event) *listener {
	a.telling.Lock()
	defer a.telling.Unlock()
	if now != nil {
		hear(now())
	}
	l := &listener{hear}
	a.list = append(a.list, l)
	return l
}

// remove returns when l hears nothing any more.
func (a *audience) remove(l *listener) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.list = slices.DeleteFunc(a.list, func(other *listener) bool { return other == l })
}

// tell tells all what event returns, unless it says that there is nothing to tell. It is called with the audience listening, so that what
// it changes is told in the order in which it changed.
func (a *audience) tell(event func() (Event, bool)) {
	a.telling.Lock()
	defer a.telling.Unlock()
	e, news := event()
	if !news {
		return
	}
	for _, l := range slices.Clone(a.list) {
		l.hear(e)
	}
}
