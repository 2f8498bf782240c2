package nfsmodel

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/protocols/nfs"
)

// routed returns a checker of a server that lies from now on, and the route through another one of the same files, which doesn't.
func routed(t *testing.T, lie func(l *liar) lie) (*Checker, Route) {
	t.Helper()
	front := newLiar()
	c := open(t, serve(t, front))
	route, done, err := Server(t.Context(), serve(t, &liar{Mem: front.Mem}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	if err := c.Run(t.Context(), *operations); err != nil {
		t.Fatal(err)
	}
	front.tell(lie(front))
	return c, route
}

func TestChangesByAnotherRouteAreSeen(t *testing.T) {
	c, route := routed(t, func(*liar) lie { return nil })
	for range 3 {
		if err := errors.Join(c.BehindTheBack(t.Context(), route), c.Run(t.Context(), *operations)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangesByAnotherRouteThatAreNotSeenAreFound(t *testing.T) {
	for name, lie := range map[string]func(l *liar) lie{"attributes": cachedAttributes, "data": cachedData} {
		t.Run(name, func(t *testing.T) {
			c, route := routed(t, lie)
			var err error
			for i := 0; err == nil && i < 5; i++ {
				err = c.BehindTheBack(t.Context(), route)
			}
			var f *Failure
			if !errors.As(err, &f) || !strings.Contains(f.Error(), "changes by another route: done") {
				t.Fatalf("%v, want a failure after the changes", err)
			}
			t.Log(f.Wrong)
		})
	}
}

// cachedAttributes keeps a file's attributes for ever.
func cachedAttributes(l *liar) lie {
	old := make(map[string]nfs.GetAttrResult)
	return func(c *call, truth func() error) error {
		err := truth()
		if r, ok := c.result.(*nfs.GetAttrResult); ok && err == nil && r.Attr.Type == nfs.Regular {
			l.mu.Lock()
			defer l.mu.Unlock()
			h := string(c.args.(*nfs.HandleArgs).Object)
			if was, ok := old[h]; ok {
				*r = was
			}
			old[h] = *r
		}
		return err
	}
}

// cachedData keeps what was read of a file for ever.
func cachedData(l *liar) lie {
	old := make(map[string][]byte)
	return func(c *call, truth func() error) error {
		err := truth()
		if r, ok := c.result.(*nfs.ReadResult); ok && err == nil && r.Status == nfs.OK {
			l.mu.Lock()
			defer l.mu.Unlock()
			a := c.args.(*nfs.ReadArgs)
			h := fmt.Sprintf("%s %d", a.File, a.Offset)
			copy(r.Data, old[h])
			old[h] = bytes.Clone(r.Data)
		}
		return err
	}
}

// mirrored is a model with a file, a link and a folder, and the folder that holds them.
func mirrored(t *testing.T) (c *Checker, folder string) {
	t.Helper()
	folder = t.TempDir()
	at := func(name string) string { return filepath.Join(folder, "m", name) }
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	owned := func(n *node, mode uint32) *node {
		n.mode, n.uid, n.gid = mode, uid, gid
		return n
	}
	base, sub := owned(newDirectory(), 0o755), owned(newDirectory(), 0o700)
	file, far, link := owned(&node{kind: nfs.Regular}, 0o640), owned(&node{kind: nfs.Regular}, 0o600), owned(&node{kind: nfs.SymbolicLink, target: "file"}, 0o777)
	file.content.write(5000, []byte("some bytes"))
	file.content.truncate(20000)
	far.content.write(farOffset, []byte("far away"))
	sub.put(place{base, "sub"})
	file.put(place{base, "file"})
	link.put(place{base, "link"})
	far.put(place{sub, "far"})
	if err := errors.Join(os.Mkdir(at(""), 0o755), os.Mkdir(at("sub"), 0o700), os.WriteFile(at("file"), nil, 0o640), os.Symlink("file", at("link")),
		os.WriteFile(at("sub/far"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	by := Folder(folder)
	if err := errors.Join(by.Write(t.Context(), "m/file", 5000, []byte("some bytes")), by.Truncate(t.Context(), "m/file", 20000),
		by.Write(t.Context(), "m/sub/far", farOffset, []byte("far away"))); err != nil {
		t.Fatal(err)
	}
	return &Checker{opts: Options{Folder: "m"}, base: base}, folder
}

func TestCompareFindsWhatDiffers(t *testing.T) {
	if c, folder := mirrored(t); c.Compare(folder) != nil {
		t.Fatalf("nothing differs: %v", c.Compare(folder))
	}
	for name, differ := range map[string]func(path func(string) string) error{
		"a byte": func(p func(string) string) error { return Folder(p("")).Write(t.Context(), "file", 5003, []byte("E")) },
		"a byte in a hole": func(p func(string) string) error {
			return Folder(p("")).Write(t.Context(), "sub/far", 1<<20, []byte("E"))
		},
		"a size": func(p func(string) string) error { return os.Truncate(p("file"), 19999) },
		"a lost page": func(p func(string) string) error {
			return errors.Join(os.Truncate(p("file"), 0), os.Truncate(p("file"), 20000))
		},
		"a mode":          func(p func(string) string) error { return os.Chmod(p("sub"), 0o755) },
		"a name too many": func(p func(string) string) error { return os.WriteFile(p("more"), nil, 0o600) },
		"a name too few":  func(p func(string) string) error { return os.Remove(p("link")) },
		"a target": func(p func(string) string) error {
			return errors.Join(os.Remove(p("link")), os.Symlink("fil", p("link")))
		},
		"a type": func(p func(string) string) error {
			return errors.Join(os.Remove(p("link")), os.Mkdir(p("link"), 0o777))
		},
		"a link": func(p func(string) string) error { return os.Link(p("file"), p("../beside")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, folder := mirrored(t)
			if err := differ(func(name string) string { return filepath.Join(folder, "m", name) }); err != nil {
				t.Fatal(err)
			}
			if c.Compare(folder) == nil {
				t.Error("it is not found")
			}
		})
	}
}
