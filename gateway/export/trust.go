package export

import (
	"time"

	"forebay/cachecore/flash"
	"forebay/protocols/nfs"
)

// trust is what has to be known of a file before there may be a witness of what flash has of it. It is guarded by its node's mu.
//
// A filer's times have a grain: what others do within the same grain as something that we have seen doesn't show. So what is kept in flash was asked for a grain after
// others' last change was noticed, or the file was met, and the attributes of a witness are asked for a grain after they were seen first.
type trust struct {
	met   time.Time // when others' changes were noticed last, or nothing was known
	seen  time.Time // when the view's attributes were first what they are
	ended time.Time // when the last change of ours ended

	sound bool // what flash has was asked for when the array's write verifier was known

	done    settledAs // what there is a witness of, or there can't be one of
	later   time.Time // when the array is asked again, if it had no answer
	none    bool      // there is no witness of the file
	voiding int       // calls that void it
}

// settledAs is how a file is shown, and where its content is kept.
type settledAs struct {
	shown nfs.WccAttr
	key   flash.Key
}

const (
	grain = 2 * time.Second  // the coarsest that file systems have
	quiet = 10 * time.Second // how long a file is left alone by us before a witness is taken, so that few are voided
)

// looked notes that the view may show something else than it did.
func (t *trust) looked(was, now *view, at time.Time) {
	if !was.known || was.last != now.last {
		t.seen = at
	}
}

// ripe says whether flash may take what is asked for from now on. n.mu is held.
func (n *node) ripe(now time.Time) bool {
	return n.mu.volume != nil && n.mu.kept != nil && !n.mu.kept.open.Load() && n.mu.view.known && !now.Before(n.mu.trust.met.Add(grain))
}

// ripen has flash take what is asked for from now on, and not what is being read. known: so is the write verifier.
func (n *node) ripen(known bool) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ripe(now) {
		n.mu.volume.Overtake()
		n.mu.trust.sound = known
		n.mu.kept.open.Store(true)
	}
}

// provable says that there may be a witness, of what: a file that we have left alone for so long. n.mu is held.
func (n *node) provable(now time.Time, alone time.Duration) (what settledAs, u *under) {
	v, t := &n.mu.view, &n.mu.trust
	if n.mu.volume == nil || n.mu.kept == nil || !t.sound || !v.known || v.changes > 0 || t.voiding > 0 || v.attr.Type != nfs.Regular {
		return what, nil
	}
	if u = n.mu.kept.under.Load(); u == nil || now.Before(t.ended.Add(alone)) {
		return what, nil
	}
	if what = (settledAs{v.last, u.key}); what == t.done && v.whole {
		return what, nil
	}
	return what, u
}
