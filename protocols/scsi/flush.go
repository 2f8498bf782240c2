package scsi

import (
	"context"
	"errors"
	"sync"
)

var errWritesLost = errors.New("writes that were answered may be gone")

// WritesLost says that writes which were answered may be gone with the array that had them: the next flush of every initiator fails,
// once, as it can't vouch for them (PROTOCOL E1). An initiator that is not logged in now is told when it is back.
func (u *Unit) WritesLost() {
	d := &u.departed
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.owed {
		d.owed[name] = true
	}
	u.nexuses.Range(func(_, a any) bool {
		a.(*attentions).writesLost.Store(true)
		return true
	})
}

// flush makes every answered write durable, or ends c. That writes were lost is looked at after it: a flush that waited for the array to
// come back covers none of them.
func (u *Unit) flush(ctx context.Context, c *Command) bool {
	err := u.store.Flush(ctx)
	if err == nil {
		err = ctx.Err() // nobody hears of it, and so it tells nobody what he is owed
	}
	if err == nil && u.attentionsOf(c.Nexus).writesLost.Swap(false) {
		err = errWritesLost
	}
	if err != nil {
		c.fail(err, senseWriteError)
	}
	return err == nil
}

// departed are the initiator ports whose nexus was lost, by name, with whether their next flush fails: what a session had answered may be
// lost after its end. mu makes a nexus' way from Unit.nexuses to here one step to WritesLost; it is a leaf.
type departed struct {
	mu   sync.Mutex
	owed map[string]bool
}

// maxDeparted bounds what initiators that make up names can have us remember; the honest ones come back under the name they had.
const maxDeparted = 4096

// forget drops what is kept for a nexus, but for what its initiator port is owed.
func (u *Unit) forget(n *Nexus) {
	d := &u.departed
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := u.nexuses.LoadAndDelete(n)
	if !ok || n == nil {
		return
	}
	if d.owed == nil {
		d.owed = make(map[string]bool)
	}
	if len(d.owed) < maxDeparted {
		d.owed[n.Initiator] = d.owed[n.Initiator] || a.(*attentions).writesLost.Load()
	}
}

// returns says whether the first flush of a new nexus fails, and forgets that it was owed.
func (d *departed) returns(n *Nexus) bool {
	if n == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	owed := d.owed[n.Initiator]
	delete(d.owed, n.Initiator)
	return owed
}
