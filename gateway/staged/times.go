package staged

import (
	"time"

	"forebay/protocols/nfs"
)

// times are those by which a change shows.
type times struct{ mtime, ctime nfs.Time }

func timesOf(a *nfs.Attr) times { return times{a.Mtime, a.Ctime} }

// after is the later of two times, or else the first possible one behind the second.
func after(t, than nfs.Time) nfs.Time {
	if than.Before(t) {
		return t
	}
	if than.Nanoseconds++; than.Nanoseconds >= uint32(time.Second) {
		than.Seconds, than.Nanoseconds = than.Seconds+1, 0
	}
	return than
}

// coarseness is how far the times of a filer may be behind its clock: files are stamped with the last tick's time. What a WRITE is stamped with here is
// behind as far, so that the filer's own times, when it has the content, are no earlier: they are what is shown after a restart.
const coarseness = 20 * time.Millisecond

// clockSkew is how far the filer's clock may be ahead of ours: what lies behind that isn't a clock's.
const clockSkew = time.Minute

// ahead says whether a time is none of a clock, but one that a client has set.
func ahead(t nfs.Time) bool { return timeOf(time.Now().Add(clockSkew)).Before(t) }

// modified is after for an mtime, unless that is one that a client has set, and which a change takes back.
func modified(t, than nfs.Time) nfs.Time {
	if ahead(than) {
		return t
	}
	return after(t, than)
}

// latest is the later of two times.
func latest(a, b nfs.Time) nfs.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func timeOf(t time.Time) nfs.Time {
	return nfs.Time{Seconds: uint32(t.Unix()), Nanoseconds: uint32(t.Nanosecond())}
}
