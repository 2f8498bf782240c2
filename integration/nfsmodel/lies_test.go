package nfsmodel

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/nfs"
)

// lies are what a server may do wrong, by what the failure has to say.
var lies = []struct {
	name, say string
	lie       func(l *liar) lie
}{
	{"a stale read", "wrong bytes", staleRead},
	{"a lost write", "wrong bytes", lostWrite},
	{"a truncation that leaves old bytes", "wrong bytes", oldBytes},
	{"a wrong eof", "eof is", after(5, func(r *nfs.ReadResult) { r.EOF = !r.EOF })},
	{"a short read in the middle that claims the end", "", after(5, func(r *nfs.ReadResult) {
		r.Data = r.Data[:len(r.Data)/2]
		r.Count, r.EOF = uint32(len(r.Data)), true
	})},
	{"a name listed twice", "listed twice", after(1, func(r *nfs.ReadDirResult) {
		if n := len(r.Entries); n > 2 {
			r.Entries = slices.Insert(r.Entries, n-1, r.Entries[n-1])
		}
	})},
	{"a name that isn't listed", "is not listed", after(1, func(r *nfs.ReadDirPlusResult) {
		if n := len(r.Entries); n > 3 && r.EOF {
			r.Entries = slices.Delete(r.Entries, n-2, n-1)
		}
	})},
	{"an old size", "has size", after(20, func(r *nfs.GetAttrResult) {
		if r.Attr.Type == nfs.Regular {
			r.Attr.Size ^= 1
		}
	})},
	{"a ctime that goes back", "ctime", after(20, func(r *nfs.GetAttrResult) { r.Attr.Ctime.Seconds-- })},
	{"an mtime that doesn't keep what was set", "mtime", after(5, func(r *nfs.WccResult) { r.Wcc.After.Value.Mtime.Nanoseconds ^= 1 })},
	{"a link that isn't counted", "links", after(1, func(r *nfs.LinkResult) { r.Attr.Value.Nlink-- })},
	{"wcc data of another time", "before", after(10, func(r *nfs.WriteResult) { r.Wcc.Before.Value.Size ^= 8 })},
	{"a name that was there, and isn't found", "NFS3ERR_NOENT", after(10, func(r *nfs.LookupResult) { *r = nfs.LookupResult{Status: nfs.ErrNoEnt} })},
	{"the handle of another file", "the handle of", after(10, func(r *nfs.LookupResult) { r.Object[len(r.Object)-1] ^= 1 })},
	{"less stable than asked for", "committed", after(1, func(r *nfs.WriteResult) { r.Committed = nfs.Unstable })},
	{"what the mode forbids", "NFS3ERR_ACCES", everybodyIsRoot},
	{"a rename that leaves the old name", "", renameAsLink},
	{"data beyond the link", "it leads to", after(1, func(r *nfs.ReadLinkResult) { r.Path += "x" })},
}

// after lies about every so manieth result of its type that is OK.
func after[R any, P interface {
	*R
	nfs.Message
}](many int, change func(P)) func(l *liar) lie {
	return func(l *liar) lie {
		return func(c *call, truth func() error) error {
			err := truth()
			if r, ok := c.result.(P); ok && err == nil && *nfs.StatusOf(r) == nfs.OK && l.every(many) {
				change(r)
			}
			return err
		}
	}
}

func TestLiesAreFound(t *testing.T) {
	for _, lie := range lies {
		t.Run(lie.name, func(t *testing.T) {
			l := newLiar()
			l.tell(lie.lie(l))
			c := open(t, serve(t, l))
			err := c.Run(t.Context(), 3000)
			var f *Failure
			if !errors.As(err, &f) || !strings.Contains(f.Wrong, lie.say) {
				t.Fatalf("after %d steps: %v, want a failure that says %q", c.count, err, lie.say)
			}
			if len(f.History) == 0 || f.Seed != c.opts.Seed || f.Step != c.count {
				t.Errorf("the failure doesn't say enough: %v", err)
			}
			t.Logf("step %d: %s", f.Step, f.Wrong)
		})
	}
}

func TestSameSeedFindsTheSame(t *testing.T) {
	var found []string
	for range 2 {
		l := newLiar()
		l.tell(staleRead(l))
		c := open(t, serve(t, l))
		err := c.Run(t.Context(), 3000)
		if err == nil {
			t.Fatal("nothing was found")
		}
		found = append(found, err.Error())
	}
	if found[0] != found[1] {
		t.Errorf("first: %s\nthen: %s", found[0], found[1])
	}
}
