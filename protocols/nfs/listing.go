package nfs

import "forebay/protocols/nfs/xdr"

// Listing encodes the result of a READDIR or READDIRPLUS that succeeds, entry by entry, for as long as the client's counts allow.
type Listing struct {
	e       *xdr.Encoder
	start   int // where the result begins
	resok   int // where the READDIR3resok begins, which maxCount bounds
	max     int
	dirLeft int // bytes of directory information that may still come
	entries int
	full    bool
}

const (
	listingTail = 8         // no more entries, and EOF
	entryFixed  = 8 + 4 + 8 // file id, length of the name, cookie
)

// StartListing appends the head of the result. maxCount is the count of a READDIR, whose dirCount is as large.
func StartListing(e *xdr.Encoder, dir *PostOpAttr, v Verifier, dirCount, maxCount uint32) Listing {
	l := Listing{e: e, start: e.Len(), max: int(maxCount), dirLeft: int(dirCount)}
	e.Uint32(uint32(OK))
	l.resok = e.Len()
	encodePostOp(e, dir)
	v.encode(e)
	return l
}

// Add appends an entry of a READDIR if there is room for it.
func (l *Listing) Add(n *Entry) bool {
	at := l.e.Len()
	if l.open(n) {
		n.encode(l.e)
	}
	return l.close(at, n)
}

// AddPlus appends an entry of a READDIRPLUS if there is room for it.
func (l *Listing) AddPlus(n *EntryPlus) bool {
	at := l.e.Len()
	if l.open(&n.Entry) {
		n.encode(l.e)
	}
	return l.close(at, &n.Entry)
}

// open begins an entry, unless the directory information is used up. Of that, one entry is always sent: a small dirCount is a hint,
// and a client has to get on.
func (l *Listing) open(n *Entry) bool {
	l.full = l.full || l.entries > 0 && dirSize(n) > l.dirLeft
	if !l.full {
		l.e.Bool(true)
	}
	return !l.full
}

// close takes an entry back that has become too long.
func (l *Listing) close(at int, n *Entry) bool {
	l.full = l.full || l.e.Len()-l.resok+listingTail > l.max
	if l.full {
		l.e.Truncate(at)
		return false
	}
	l.dirLeft -= dirSize(n)
	l.entries++
	return true
}

func dirSize(n *Entry) int { return entryFixed + len(n.Name) + xdr.Pad(len(n.Name)) }

// Finish ends the result. eof says that all entries of the directory have been added; after a refused one it doesn't count. It returns
// false, and takes everything back, if the client's count has no room for a single entry or an empty list: NFS3ERR_TOOSMALL.
func (l *Listing) Finish(eof bool) bool {
	if l.entries == 0 && (l.full || l.e.Len()-l.resok+listingTail > l.max) {
		l.e.Truncate(l.start)
		return false
	}
	l.e.Bool(false)
	l.e.Bool(eof && !l.full)
	return true
}

// encodeNoListing appends the result of a READDIR or READDIRPLUS that failed.
func encodeNoListing(e *xdr.Encoder, s Status, dir *PostOpAttr) {
	e.Uint32(uint32(s))
	encodePostOp(e, dir)
}
