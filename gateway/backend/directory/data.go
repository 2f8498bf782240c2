package directory

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

const maxTransfer = 1 << 20 // bytes, of a READ or WRITE

// openFile opens a regular file, as root.
func (d *Directory) openFile(key fileKey) (*object, error) {
	h := nfs.Handle(key.handle)
	o, err := d.openAny(h)
	if err != nil {
		return nil, err
	}
	o.close()
	switch {
	case o.is(unix.S_IFDIR):
		return nil, nfs.ErrIsDir
	case !o.is(unix.S_IFREG):
		return nil, nfs.ErrInval
	case key.write:
		return d.openHandle(h, unix.O_RDWR)
	}
	return d.openHandle(h, unix.O_RDONLY)
}

// regular returns a file that is open and has a name left, and what it is now. The caller puts the file back.
func (d *Directory) regular(h nfs.Handle, write bool) (*file, *object, error) {
	f, err := d.files.get(h, write)
	if err != nil {
		return nil, nil, err
	}
	o := &object{fd: f.fd} // others look at f as well
	if err = o.look(); err == nil && o.stat.Nlink == 0 {
		d.files.forget(h)
		err = nfs.ErrStale
	}
	if err != nil {
		d.files.put(f)
		return nil, nil, err
	}
	return f, o, nil
}

func (d *Directory) read(c *nfs.Caller, a *nfs.ReadArgs, r *nfs.ReadResult) error {
	data := r.Data[:min(len(r.Data), int(a.Count), maxTransfer)]
	*r = nfs.ReadResult{Data: data[:0]}
	f, o, err := d.regular(a.File, false)
	if err != nil {
		r.Attr = d.attrAnyway(a.File)
		return err
	}
	defer d.files.put(f)
	r.Attr = d.postOp(o) // from before: what others do in the folder meanwhile shows later, and isn't taken for what was read
	if err := d.mayRead(c, o); err != nil {
		return err
	}
	n, err := pread(f.fd, data, a.Offset)
	if err != nil {
		return err
	}
	r.Count, r.Data = uint32(n), data[:n]
	r.EOF = n < len(data) || a.Offset+uint64(n) >= uint64(o.stat.Size)
	return nil
}

// attrAnyway are the attributes of what is no regular file or can't be opened.
func (d *Directory) attrAnyway(h nfs.Handle) nfs.PostOpAttr {
	o, err := d.openAny(h)
	if err != nil {
		return nfs.PostOpAttr{}
	}
	defer o.close()
	return d.postOp(o)
}

// pread reads until p is full or the file ends.
func pread(fd int, p []byte, off uint64) (n int, err error) {
	if off > math.MaxInt64-uint64(len(p)) { // no file is as long
		return 0, nil
	}
	for n < len(p) {
		m, err := unix.Pread(fd, p[n:], int64(off)+int64(n))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return n, err
		case m == 0:
			return n, nil
		default:
			n += m
		}
	}
	return n, nil
}

func (d *Directory) write(c *nfs.Caller, a *nfs.WriteArgs, r *nfs.WriteResult) error {
	*r = nfs.WriteResult{}
	data := a.Data[:min(len(a.Data), maxTransfer)]
	if a.Offset > math.MaxInt64-uint64(len(data)) {
		return nfs.ErrFBig
	}
	f, o, err := d.regular(a.File, true)
	if err != nil {
		r.Wcc.After = d.attrAnyway(a.File)
		return err
	}
	defer d.files.put(f)
	verifier := d.verifier.now() // before: data that is lost from now on may be this
	n, err := d.writeLocked(c, f, o, data, int64(a.Offset), &r.Wcc)
	if err == nil && a.Stable != nfs.Unstable {
		err = d.files.sync.file(f, a.Stable == nfs.FileSync)
	}
	if err != nil {
		return err
	}
	r.Count, r.Committed, r.Verifier = uint32(n), a.Stable, verifier
	return nil
}

func (d *Directory) writeLocked(c *nfs.Caller, f *file, o *object, data []byte, off int64, w *nfs.WccData) (n int, err error) {
	defer d.stripes.lock(o, o)()
	err = d.change(o, w, func() error {
		return d.threads.as(c, func() error {
			if err := mayWrite(c, o); err != nil {
				return err
			}
			defer f.syncs.unstable.Store(true) // afterwards: a run that begins meanwhile may not cover it
			n, err = pwrite(f.fd, data, off)
			return err
		})
	})
	return n, err
}

// pwrite writes p, or as much as there is room for.
func pwrite(fd int, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pwrite(fd, p[n:], off+int64(n))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil && n == 0:
			return 0, err
		case err != nil || m == 0:
			return n, nil
		default:
			n += m
		}
	}
	return n, nil
}

func (d *Directory) commit(c *nfs.Caller, a *nfs.CommitArgs, r *nfs.CommitResult) error {
	*r = nfs.CommitResult{}
	f, o, err := d.regular(a.File, true)
	if err != nil {
		r.Wcc.After = d.attrAnyway(a.File)
		return err
	}
	defer d.files.put(f)
	err = d.threads.as(c, func() error { return mayWrite(c, o) })
	if err == nil {
		err = d.files.sync.file(f, true)
	}
	r.Verifier = d.verifier.now()
	// It changes no attributes: what lies between two looks, without the lock, would be others' doing.
	if o.look() == nil {
		r.Wcc = nfs.WccData{Before: nfs.Some(preOp(o)), After: d.postOp(o)}
	}
	return err
}
