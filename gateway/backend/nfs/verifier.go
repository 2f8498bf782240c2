package nfs

import (
	"slices"
	"sync"

	wire "forebay/protocols/nfs"
)

// verifier watches the filer's write verifier, which changes when what was written UNSTABLE may be lost.
type verifier struct {
	mu      sync.Mutex // held while a change is told
	known   bool
	current wire.Verifier
	earlier []wire.Verifier // the latest of them
}

const verifiersKept = 8

// changed takes the verifier of a reply and says whether writes may have been lost: those answered before, or, when the reply is an old one that
// has taken its time, what it answers itself. v.mu is held.
func (v *verifier) changed(to wire.Verifier) bool {
	switch {
	case !v.known:
		v.known, v.current = true, to
		return false
	case v.current == to:
		return false
	case slices.Contains(v.earlier, to):
		return true
	}
	if v.earlier = append(v.earlier, v.current); len(v.earlier) > verifiersKept {
		v.earlier = v.earlier[1:]
	}
	v.current = to
	return true
}

// see takes the verifier of a reply to WRITE or COMMIT, before anybody else sees it. Who comes with the same one while it is told waits until all
// have heard.
func (f *Filer) see(v wire.Verifier) {
	f.verifier.mu.Lock()
	defer f.verifier.mu.Unlock()
	if !f.verifier.changed(v) {
		return
	}
	f.audience.tell(func() (Event, bool) {
		e := f.health.event()
		e.VerifierChanged = true
		return e, true
	})
}
