package nfsmodel

import (
	"context"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/xdr"
)

// cursor is a listing under way, which other steps may change the directory between the pages of. What is there all the time has to be listed
// exactly once; what comes or goes meanwhile, by any name, at most as often as it came.
type cursor struct {
	dir      *node
	client   *client
	plus     bool
	count    uint32
	cookie   uint64
	verifier nfs.Verifier
	page     int
	there    map[string]bool // at the beginning, and untouched so far
	touched  map[string]bool
	listed   map[string]bool
	changed  bool
}

// page is what READDIR and READDIRPLUS answer alike.
type page struct {
	status   nfs.Status
	attr     nfs.PostOpAttr
	verifier nfs.Verifier
	entries  []nfs.EntryPlus
	eof      bool
	bytes    int // as the client's count counts
}

func (c *Checker) open(cl *client, d *node, plus bool) *cursor {
	u := &cursor{dir: d, client: cl, plus: plus, count: oneOf[uint32](c, 300, 512, 800, 1024, 4096, 32768),
		there: make(map[string]bool), touched: make(map[string]bool), listed: make(map[string]bool)}
	u.count = max(u.count, c.opts.SmallestCount)
	for name := range d.entries {
		u.there[name] = true
	}
	return u
}

// entryChanged tells the listing of a directory that something under a name came or went.
func (n *node) entryChanged(name string) {
	if n.cursor != nil {
		n.cursor.changed = true
		n.cursor.touched[name] = true
		delete(n.cursor.there, name)
	}
}

// ask asks for the next page.
func (u *cursor) ask(ctx context.Context) (*page, error) {
	if !u.plus {
		var r nfs.ReadDirResult
		a := nfs.ReadDirArgs{Dir: u.dir.handle, Cookie: u.cookie, Verifier: u.verifier, Count: u.count}
		err := u.client.do(ctx, nfs.ProcReadDir, &a, &r)
		p := &page{r.Status, r.Attr, r.Verifier, nil, r.EOF, encoded(&r)}
		for _, e := range r.Entries {
			p.entries = append(p.entries, nfs.EntryPlus{Entry: e})
		}
		return p, err
	}
	var r nfs.ReadDirPlusResult
	a := nfs.ReadDirPlusArgs{Dir: u.dir.handle, Cookie: u.cookie, Verifier: u.verifier, DirCount: u.count, MaxCount: u.count}
	err := u.client.do(ctx, nfs.ProcReadDirPlus, &a, &r)
	return &page{r.Status, r.Attr, r.Verifier, r.Entries, r.EOF, encoded(&r)}, err
}

// encoded is how many bytes a result takes behind its status.
func encoded(r nfs.Message) int {
	var e xdr.Encoder
	r.Encode(&e)
	return e.Len() - 4
}
