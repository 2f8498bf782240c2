package server

import (
	"bytes"
	"time"
)

// restore takes in what earlier lives have left. While no gateway serves, clients can't ask, so that no time passes: what the last life
// would have answered at its end is answered for as long as if it had been answered just now.
func (d *duplicates) restore(list []Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	end := endOf(list, now)
	outcomes := map[CallID]int{}
	for i := range list {
		r := &list[i]
		delete(outcomes, r.ID)
		d.mu.doubts.drop(r.ID)
		switch r.Step {
		case Intent, Unknown:
			d.mu.doubts.add(doubt{id: r.ID, told: r.Step == Unknown, since: now})
		case Outcome:
			outcomes[r.ID] = i
		}
	}
	for i := range list {
		r := &list[i]
		if last, ok := outcomes[r.ID]; ok && last == i && end.Sub(r.At) <= maxAge {
			a := &answer{id: r.ID, ended: make(chan struct{}), at: now, bytes: bytes.Clone(r.Answer)}
			close(a.ended)
			d.remember(a)
		}
	}
}

// endOf is when the last life ended, by the clock that it had then: the latest time on record may be that of one that was set back since.
func endOf(list []Record, now time.Time) time.Time {
	if len(list) == 0 || list[len(list)-1].At.After(now) {
		return now
	}
	return list[len(list)-1].At
}
