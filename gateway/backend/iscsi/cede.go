package iscsi

import (
	"slices"

	"forebay/protocols/iscsi/initiator"
)

// taken says who has the LUN now that we had: a holder of the reservation, or a later boot of this gateway, whatever of its is registered. Then
// nothing is registered, as that would be taken for ours.
func (a *Array) taken(keys []uint64, held initiator.Reservation) (by uint64, taken bool) {
	switch {
	case !a.registeredBefore():
		return 0, false
	case held.Held && !a.owns(held.Key):
		return held.Key, true
	case a.unfenced.Load(): // what is registered may be of earlier boots
		return 0, false
	}
	i := slices.IndexFunc(keys, a.otherBoot)
	if i < 0 {
		return 0, false
	}
	return keys[i], true
}

// cede notes that others have the LUN. What is cached may be old from now on; and what was answered and not flushed is not ours to write again,
// as it could land over what they have written (PROTOCOL D3, E1).
func (a *Array) cede() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.ceded {
		return
	}
	a.mu.ceded, a.mu.untold.unproven = true, true
	a.mu.untold.forsaken = a.retained.forsake() || a.mu.untold.forsaken
}

func (a *Array) hasCeded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.ceded
}

// otherBoot says whether a key is of this gateway (PROTOCOL D3) but not of this process.
func (a *Array) otherBoot(key uint64) bool {
	return key>>32 != 0 && key>>32 == a.opts.Key>>32 && (key < a.opts.Key || key >= a.opts.Key+uint64(len(a.opts.Portals)))
}
