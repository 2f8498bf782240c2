package directory

import (
	"math"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/xdr"
)

const (
	maxListing = 1 << 20 // bytes, of a READDIR or READDIRPLUS
	minDirents = 1 << 10 // bytes, of what the kernel is asked for; one entry has up to 280
	maxDirents = 32 << 10
)

func (d *Directory) readDir(c *nfs.Caller, a *nfs.ReadDirArgs, r *nfs.ReadDirResult) error {
	*r = nfs.ReadDirResult{}
	dir, err := d.openList(a.Dir, &r.Attr)
	if err != nil {
		return err
	}
	defer dir.close()
	err = d.threads.as(c, func() error { return dir.may(unix.R_OK) })
	if err != nil {
		return err
	}
	l := d.startListing(&r.Attr, a.Count, a.Count)
	r.EOF, err = d.list(dir, a.Cookie, a.Verifier, a.Count, func(e *nfs.Entry) bool {
		fits := l.Add(e)
		if fits {
			r.Entries = append(r.Entries, *e)
		}
		return fits
	})
	if err == nil && !l.Finish(r.EOF) {
		err = nfs.ErrTooSmall
	}
	return err
}

func (d *Directory) readDirPlus(c *nfs.Caller, a *nfs.ReadDirPlusArgs, r *nfs.ReadDirPlusResult) error {
	*r = nfs.ReadDirPlusResult{}
	dir, err := d.openList(a.Dir, &r.Attr)
	if err != nil {
		return err
	}
	defer dir.close()
	l := d.startListing(&r.Attr, a.DirCount, a.MaxCount)
	return d.threads.as(c, func() error {
		if err := dir.may(unix.R_OK); err != nil {
			return err
		}
		r.EOF, err = d.list(dir, a.Cookie, a.Verifier, min(a.DirCount, a.MaxCount), func(e *nfs.Entry) bool {
			plus := d.plus(dir, e)
			fits := l.AddPlus(&plus)
			if fits {
				r.Entries = append(r.Entries, plus)
			}
			return fits
		})
		if err == nil && !l.Finish(r.EOF) {
			err = nfs.ErrTooSmall
		}
		return err
	})
}

// openList opens a directory to list it.
func (d *Directory) openList(h nfs.Handle, attr *nfs.PostOpAttr) (*object, error) {
	dir, err := d.openDir(h)
	if err == nil {
		*attr = d.postOp(dir)
	}
	return dir, err
}

// startListing begins to measure a result, of which the client, and we, want so many bytes at most.
func (d *Directory) startListing(attr *nfs.PostOpAttr, dirCount, maxCount uint32) nfs.Listing {
	var e xdr.Encoder
	return nfs.StartListing(&e, attr, nfs.Verifier{}, min(dirCount, maxListing), min(maxCount, maxListing))
}

// plus adds attributes and handle to an entry, if the thread may look it up: not to a mount point, nor to "..", which may lie outside.
func (d *Directory) plus(dir *object, e *nfs.Entry) nfs.EntryPlus {
	p := nfs.EntryPlus{Entry: *e}
	if e.Name == ".." {
		return p
	}
	o, err := dir.child(e.Name)
	if err != nil {
		return p
	}
	defer o.close()
	if h, err := d.handleOf(o.fd); err == nil {
		p.FileID, p.Attr, p.Handle = o.stat.Ino, d.postOp(o), nfs.Some(h)
	}
	return p
}

// list tells the entries behind a cookie until one isn't wanted, and says whether there are no more. It asks for about count bytes of them
// at a time. A cookie is the kernel's offset behind its entry, which stays good while other entries come and go, so the verifier has nothing to say and is 0.
func (d *Directory) list(dir *object, cookie uint64, v nfs.Verifier, count uint32, wanted func(*nfs.Entry) bool) (eof bool, err error) {
	if cookie > math.MaxInt64 || cookie != 0 && v != (nfs.Verifier{}) {
		return false, nfs.ErrBadCookie
	}
	if _, err := unix.Seek(dir.fd, int64(cookie), unix.SEEK_SET); err != nil {
		return false, nfs.ErrBadCookie
	}
	buffer := make([]byte, max(minDirents, min(count, maxDirents)))
	for {
		n, err := unix.Getdents(dir.fd, buffer)
		if err != nil || n == 0 {
			return err == nil, err
		}
		for p := buffer[:n]; len(p) > 0; {
			var e nfs.Entry
			e, p = parseEntry(p)
			if e.Name == ".." && dir.same(&d.rootStat) {
				e.FileID = d.rootStat.Ino
			}
			if !wanted(&e) {
				return false, nil
			}
		}
	}
}
