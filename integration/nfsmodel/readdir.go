package nfsmodel

import (
	"context"
	"fmt"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/xdr"
)

// longestEntry is what an entry takes at most, beside what every listing takes: a client that has no room for one is told so.
const longestEntry = 700

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

func (c *Checker) readDir(ctx context.Context) error {
	return c.list(ctx, c.client(), c.node(nfs.Directory), false)
}
func (c *Checker) readDirPlus(ctx context.Context) error {
	return c.list(ctx, c.client(), c.node(nfs.Directory), true)
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

// list lists a directory from start to end.
func (c *Checker) list(ctx context.Context, cl *client, d *node, plus bool) error {
	for u := c.open(cl, d, plus); ; {
		if over, err := c.turn(ctx, u); over || err != nil {
			return err
		}
	}
}

// listOn turns one page of the listing under way, or begins one.
func (c *Checker) listOn(ctx context.Context) error {
	if c.cursor == nil {
		d := c.node(nfs.Directory)
		c.cursor = c.open(c.client(), d, c.chance(50))
		d.cursor = c.cursor
	}
	over, err := c.turn(ctx, c.cursor)
	if over || err != nil {
		c.cursor.dir.cursor, c.cursor = nil, nil
	}
	return err
}

// entryChanged tells the listing of a directory that something under a name came or went.
func (n *node) entryChanged(name string) {
	if n.cursor != nil {
		n.cursor.changed = true
		n.cursor.touched[name] = true
		delete(n.cursor.there, name)
	}
}

// turn asks for a page, and says whether it was the last one.
func (c *Checker) turn(ctx context.Context, u *cursor) (over bool, err error) {
	d := u.dir
	proc := nfs.ProcReadDir
	if u.plus {
		proc = nfs.ProcReadDirPlus
	}
	s := c.begin(u.client, []*node{d}, "%s %s from cookie %d, %d bytes", proc, d.path(), u.cookie, u.count)
	var w want
	w.directory(c, u.client, d, read)
	if u.plus && d.kind == nfs.Directory && !u.client.permitted(d, execute) {
		w.may(nfs.ErrAcces)
	}
	if u.count < longestEntry {
		w.may(nfs.ErrTooSmall)
	}
	if u.changed {
		w.may(nfs.ErrBadCookie)
	}
	p, err := u.ask(ctx)
	if err != nil {
		return false, err
	}
	s.status(p.status, &w)
	d.atime.touch()
	if !d.dead {
		s.see(d, &p.attr)
	}
	d.atime.touch() // the attributes may be older than the reading
	switch p.status {
	case nfs.OK:
		s.take(u, p)
	case nfs.ErrTooSmall:
		u.count *= 2
		return false, s.end()
	}
	return p.status != nfs.OK || p.eof, s.end()
}

// take checks a page, and with the last one the whole listing.
func (s *step) take(u *cursor, p *page) {
	s.answer += fmt.Sprintf(" %d entries, eof %t:", len(p.entries), p.eof)
	for i := range p.entries {
		s.answer += fmt.Sprintf(" %.12q %d", p.entries[i].Name, p.entries[i].Cookie)
	}
	s.check(p.bytes <= int(u.count), "it takes %d bytes of %d", p.bytes, u.count)
	s.check(len(p.entries) > 0 || p.eof, "an empty page that is not the last one")
	for i := range p.entries {
		s.entry(u, &p.entries[i])
	}
	if u.page++; u.page > 2000 {
		s.check(false, "the listing doesn't end")
	}
	u.verifier = p.verifier
	if n := len(p.entries); n > 0 {
		u.cookie = p.entries[n-1].Cookie
	}
	if !p.eof || u.changed && s.checker.opts.LooseListings {
		return
	}
	for name := range u.there {
		s.check(u.listed[name], "%s is not listed", quoted(name))
	}
}

// entry checks one entry. What comes with it, of an object that came or went meanwhile, has to be as it is now all the same.
func (s *step) entry(u *cursor, e *nfs.EntryPlus) {
	n := u.dir.entries[e.Name]
	switch e.Name {
	case ".":
		n = u.dir
	case "..":
		if len(u.dir.places) > 0 {
			n = u.dir.places[0].dir
		}
	}
	repeats := u.touched[e.Name] || u.changed && s.checker.opts.LooseListings
	s.check(!u.listed[e.Name] || repeats, "%s is listed twice", quoted(e.Name))
	u.listed[e.Name] = true
	if n == nil {
		s.check(e.Name == "..", "%s is listed, but isn't there", quoted(e.Name))
		return
	}
	s.check(e.FileID == n.fileID, "%s has file id %d, want %d", quoted(e.Name), e.FileID, n.fileID)
	if e.Handle.Follows {
		s.isHandle(n, e.Handle.Value)
	}
	if e.Name != "." && e.Name != ".." {
		s.see(n, &e.Attr)
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
