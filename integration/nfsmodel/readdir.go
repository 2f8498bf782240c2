package nfsmodel

import (
	"context"
	"fmt"

	"forebay/protocols/nfs"
)

// longestEntry is what an entry takes at most, beside what every listing takes: a client that has no room for one is told so.
const longestEntry = 700

func (c *Checker) readDir(ctx context.Context) error {
	return c.list(ctx, c.client(), c.node(nfs.Directory), false)
}

func (c *Checker) readDirPlus(ctx context.Context) error {
	return c.list(ctx, c.client(), c.node(nfs.Directory), true)
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
