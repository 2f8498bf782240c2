package scsi

import (
	"slices"
	"sync"
	"sync/atomic"
)

// attentions are the unit attention conditions that wait for one nexus (SAM-5 5.14), oldest first, each at most once.
type attentions struct {
	pending    atomic.Int32 // len(queue), readable without the lock
	writesLost atomic.Bool  // the next flush fails
	mu         sync.Mutex
	queue      []senseCode
}

func (a *attentions) add(s senseCode) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Contains(a.queue, s) {
		return
	}
	a.queue = append(a.queue, s)
	a.pending.Store(int32(len(a.queue)))
}

func (a *attentions) take() (senseCode, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return senseNone, false
	}
	s := a.queue[0]
	a.queue = a.queue[1:]
	a.pending.Store(int32(len(a.queue)))
	return s, true
}

// attentionsOf returns the conditions of a nexus. One that is seen for the first time learns of the power on.
func (u *Unit) attentionsOf(n *Nexus) *attentions {
	if a, ok := u.nexuses.Load(n); ok {
		return a.(*attentions)
	}
	fresh := new(attentions)
	fresh.add(sensePowerOn)
	a, known := u.nexuses.LoadOrStore(n, fresh)
	if !known && u.departed.returns(n) {
		fresh.writesLost.Store(true)
	}
	return a.(*attentions)
}

// attend establishes a condition for every nexus but one.
func (u *Unit) attend(except *Nexus, s senseCode) {
	u.nexuses.Range(func(n, a any) bool {
		if n.(*Nexus) != except {
			a.(*attentions).add(s)
		}
		return true
	})
}

// Event implements Device.
func (u *Unit) Event(e Event, n *Nexus) {
	switch e {
	case EventNexusLoss:
		u.forget(n)
	case EventUnitReset:
		u.stopped.Store(false)
		u.protected.Store(false)
		u.attend(nil, senseUnitReset)
	case EventTasksCleared:
		u.attend(n, senseTasksCleared)
	}
}
