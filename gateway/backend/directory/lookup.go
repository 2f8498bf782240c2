package directory

import (
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

func (d *Directory) getAttr(a *nfs.HandleArgs, r *nfs.GetAttrResult) error {
	*r = nfs.GetAttrResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.attrOf(&o.stat)
	return nil
}

func (d *Directory) lookup(c *nfs.Caller, a *nfs.DirOp, r *nfs.LookupResult) error {
	*r = nfs.LookupResult{}
	dir, err := d.openDir(a.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	r.DirAttr = d.postOp(dir)
	if err := checkName(a.Name); err != nil {
		return err
	}
	o, err := d.named(c, dir, a.Name)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.postOp(o)
	r.Object, err = d.handleOf(o.fd)
	return err
}

// named opens what a directory has under a name, as c may look it up: ".." leads as far as the root.
func (d *Directory) named(c *nfs.Caller, dir *object, name string) (o *object, err error) {
	if name == ".." && dir.same(&d.rootStat) {
		name = "."
	}
	err = d.threads.as(c, func() error {
		o, err = dir.child(name)
		return err
	})
	if err != nil || name != ".." {
		return o, err
	}
	within, err := d.within(o)
	if err == nil && !within {
		err = nfs.ErrAcces
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func (d *Directory) readLink(a *nfs.HandleArgs, r *nfs.ReadLinkResult) error {
	*r = nfs.ReadLinkResult{}
	o, err := d.openAny(a.Object)
	if err != nil {
		return err
	}
	defer o.close()
	r.Attr = d.postOp(o)
	if !o.is(unix.S_IFLNK) {
		return nfs.ErrInval
	}
	p := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(o.fd, "", p)
	r.Path = string(p[:max(n, 0)])
	return err
}
