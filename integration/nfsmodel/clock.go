package nfsmodel

import (
	"fmt"

	"forebay/protocols/nfs"
)

// clock is what is known of one of an object's times.
type clock struct {
	last  nfs.Time // as it was last told
	exact bool     // nothing has happened since that may have moved it
	set   bool     // by a client: it may lie in the future, and the first change that moves it may take it back
	lost  bool     // it may be anything, and that may have been set by a client
}

// touch says that something happens that may set it to the server's time.
func (k *clock) touch() { k.exact = false }

// forget says that nothing is known of it any more.
func (k *clock) forget() { *k = clock{lost: true} }

// setTo says that a client sets it.
func (k *clock) setTo(t nfs.Time) { *k = clock{last: t, exact: true, set: true} }

// peek says what is wrong with being told t; "" is nothing. advances: it may grow by itself.
func (k *clock) peek(t nfs.Time, advances bool) string {
	switch {
	case k.exact && t == k.last, !k.exact && (k.set || k.lost || !t.Before(k.last)):
		return ""
	case advances && !t.Before(k.last):
		return ""
	case k.exact:
		return fmt.Sprintf("is %s, want %s, as nothing has changed it", timeText(t), timeText(k.last))
	}
	return fmt.Sprintf("went back to %s from %s", timeText(t), timeText(k.last))
}

// tell takes t as what it is now.
func (k *clock) tell(t nfs.Time) {
	k.set = k.lost || k.set && t == k.last
	k.last, k.exact, k.lost = t, true, false
}

func timeText(t nfs.Time) string { return fmt.Sprintf("%d.%09d", t.Seconds, t.Nanoseconds) }
