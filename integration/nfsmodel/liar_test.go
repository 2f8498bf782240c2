package nfsmodel

import (
	"bytes"

	"forebay/protocols/nfs"
)

// staleRead answers reads of the first page with what it was when it was first read.
func staleRead(l *liar) lie {
	old := make(map[string][]byte)
	return func(c *call, truth func() error) error {
		err := truth()
		r, ok := c.result.(*nfs.ReadResult)
		if !ok || err != nil || r.Status != nfs.OK {
			return err
		}
		a := c.args.(*nfs.ReadArgs)
		l.mu.Lock()
		defer l.mu.Unlock()
		if p, ok := old[string(a.File)]; ok && a.Offset == 0 {
			copy(r.Data, p)
		} else if a.Offset == 0 && len(r.Data) > 0 {
			old[string(a.File)] = bytes.Clone(r.Data)
		}
		return nil
	}
}

// lostWrite answers every tenth write without having written it, apart from the size.
func lostWrite(l *liar) lie {
	return func(c *call, truth func() error) error {
		a, ok := c.args.(*nfs.WriteArgs)
		if !ok || !l.every(10) {
			return truth()
		}
		r := nfs.ReadResult{Data: make([]byte, len(a.Data))}
		if err := l.root(nfs.ProcRead, &nfs.ReadArgs{File: a.File, Offset: a.Offset, Count: uint32(len(a.Data))}, &r); err != nil {
			return err
		}
		data := make([]byte, len(a.Data))
		copy(data, r.Data)
		a.Data = data
		return truth()
	}
}

// oldBytes leaves what was behind the end of a truncated file, to be seen when it is long again.
func oldBytes(l *liar) lie {
	type tail struct {
		off  uint64
		data []byte
	}
	tails := make(map[string]tail)
	return func(c *call, truth func() error) error {
		if a, ok := c.args.(*nfs.SetAttrArgs); ok && a.Attr.Size.Follows {
			r := nfs.ReadResult{Data: make([]byte, maxTransfer)}
			err := l.root(nfs.ProcRead, &nfs.ReadArgs{File: a.Object, Offset: a.Attr.Size.Value, Count: maxTransfer}, &r)
			if err == nil && r.Status == nfs.OK && len(r.Data) > 0 {
				l.mu.Lock()
				tails[string(a.Object)] = tail{a.Attr.Size.Value, r.Data}
				l.mu.Unlock()
			}
		}
		err := truth()
		if r, ok := c.result.(*nfs.ReadResult); ok && err == nil {
			a := c.args.(*nfs.ReadArgs)
			l.mu.Lock()
			defer l.mu.Unlock()
			old := tails[string(a.File)]
			for i := range r.Data {
				if at := a.Offset + uint64(i) - old.off; r.Data[i] == 0 && at < uint64(len(old.data)) {
					r.Data[i] = old.data[at]
				}
			}
		}
		return err
	}
}

// everybodyIsRoot executes all as root, but for what makes things, which has an owner.
func everybodyIsRoot(*liar) lie {
	return func(c *call, truth func() error) error {
		switch c.proc {
		case nfs.ProcRead, nfs.ProcWrite, nfs.ProcLookup, nfs.ProcReadDir:
			*c.caller = nfs.Caller{}
		}
		return truth()
	}
}

// renameAsLink leaves the old name of files that it renames.
func renameAsLink(l *liar) lie {
	return func(c *call, truth func() error) error {
		a, ok := c.args.(*nfs.RenameArgs)
		if !ok {
			return truth()
		}
		var r nfs.LookupResult
		if err := l.root(nfs.ProcLookup, &a.From, &r); err != nil {
			return err
		}
		if err := truth(); err != nil || r.Attr.Value.Type != nfs.Regular || *nfs.StatusOf(c.result) != nfs.OK {
			return err
		}
		return l.root(nfs.ProcLink, &nfs.LinkArgs{File: r.Object, Link: a.From}, new(nfs.LinkResult))
	}
}
