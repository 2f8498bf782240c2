package integration

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/integration/relay"
	"forebay/protocols/nfs"
)

// once is a change, how it shows in the folder behind, and what the truth is once it was made.
type once struct {
	p     nfs.Procedure
	args  nfs.Message
	gone  string // a name that is gone when it was made
	there string // one that is there
	truth nfs.Status
}

func (o *once) made(folder string) bool {
	is := func(name string) bool {
		_, err := os.Lstat(filepath.Join(folder, name))
		return !errors.Is(err, fs.ErrNotExist)
	}
	return (o.gone == "" || !is(o.gone)) && (o.there == "" || is(o.there))
}

// changes are one of each kind.
func changes(root, linked nfs.Handle) []once {
	at := func(name string) nfs.DirOp { return nfs.DirOp{Dir: root, Name: name} }
	file, dir := at("removed"), at("removed.d")
	return []once{
		{nfs.ProcRemove, &file, "removed", "", nfs.ErrNoEnt},
		{nfs.ProcRmdir, &dir, "removed.d", "", nfs.ErrNoEnt},
		{nfs.ProcRename, &nfs.RenameArgs{From: at("renamed"), To: at("renamed.new")}, "renamed", "renamed.new", nfs.ErrNoEnt},
		{nfs.ProcMkdir, &nfs.MkdirArgs{Where: at("made.d")}, "", "made.d", nfs.ErrExist},
		{nfs.ProcCreate, &nfs.CreateArgs{Where: at("made"), Mode: nfs.Guarded}, "", "made", nfs.ErrExist},
		{nfs.ProcSymlink, &nfs.SymlinkArgs{Where: at("made.link"), Path: "to/there"}, "", "made.link", nfs.ErrExist},
		{nfs.ProcLink, &nfs.LinkArgs{File: linked, Link: at("linked.new")}, "", "linked.new", nfs.ErrExist},
	}
}

func furnish(t *testing.T, folder string) {
	t.Helper()
	for _, name := range []string{"removed", "renamed", "linked"} {
		must(t, "furnish", os.WriteFile(filepath.Join(folder, name), nil, 0o644))
	}
	must(t, "furnish", os.Mkdir(filepath.Join(folder, "removed.d"), 0o755))
}

// lossy is a gateway with a link on which answers can be lost: to its client, or from its filer.
type lossy struct {
	s       settings
	g       *gatewayProcess
	link    *relay.Relay
	clients string // where they connect to
	behind  string // the folder
}

func lossyTo(t *testing.T, filer bool) *lossy {
	l := &lossy{s: settings{dir: t.TempDir(), ram: "16MiB", export: "squash: none, attribute-cache: 0s", policy: "on-array-loss: hold 60s"}}
	l.s.nfsPort, l.s.mountPort = port(t, freePort(t)), port(t, freePort(t))
	if !filer {
		l.s.array, l.behind = folder(t)
		furnish(t, l.behind)
		l.g = startGateway(t, l.s)
		l.link = startRelay(t, l.g.nfs, relay.Options{})
		l.clients = l.link.Addr()
		return l
	}
	f := startGanesha(t)
	furnish(t, f.export)
	l.link, l.behind = startRelay(t, f.nfs, relay.Options{}), f.export
	l.s.array = strings.Replace(f.over(l.link.Addr()), "{", "{connections: 1, ", 1) // others would be greeted first, to which no answer comes
	l.g = startGateway(t, l.s)
	l.clients = l.g.nfs
	return l
}

// The gateway is killed when changes have been made and their client has not been told: the outcome is known, and the answer is lost; or the filer's
// answer is lost already. The client asks again, and is told of success; whoever else asks is told the truth.
func TestAClientIsToldOfItsChangesByTheNextLife(t *testing.T) {
	const here, there, first = "127.0.0.1", "127.0.0.2", 100
	for name, filer := range map[string]bool{"the gateway's answers are lost": false, "the filer's answers are lost": true} {
		t.Run(name, func(t *testing.T) {
			l := lossyTo(t, filer)
			root := l.g.root()
			linked := newAsker(t, here, l.g.nfs).ask(1, nfs.ProcLookup, &nfs.DirOp{Dir: root, Name: "linked"}).(*nfs.LookupResult).Object
			list := changes(root, linked)
			a := newAsker(t, here, l.clients)
			l.link.BlackHole(relay.ToClient, true)
			for i, c := range list {
				a.send(uint32(first+i), c.p, c.args)
			}
			for _, c := range list {
				eventually(t, 20*time.Second, c.p.String(), func() bool { return c.made(l.behind) })
			}
			l.g.kill()
			l.link.BlackHole(relay.ToClient, false)
			g := startGateway(t, l.s)

			a, other := newAsker(t, here, g.nfs), newAsker(t, there, g.nfs)
			for i, c := range list {
				xid := uint32(first + i)
				c.expect(t, "by another client", other.ask(xid, c.p, c.args), c.truth)
				r := a.ask(xid, c.p, c.args)
				c.expect(t, "asked again", r, nfs.OK)
				checkMade(t, a, root, &c, r)
				c.expect(t, "as another call", a.ask(xid+first, c.p, c.args), c.truth)
			}
			g.stop()
		})
	}
}

func (o *once) expect(t *testing.T, how string, r nfs.Message, want nfs.Status) {
	t.Helper()
	if got := *nfs.StatusOf(r); got != want {
		t.Errorf("%v, %s: %v, want %v", o.p, how, got, want)
	}
}

// checkMade holds the handle of what was made against what is there.
func checkMade(t *testing.T, a *asker, root nfs.Handle, c *once, r nfs.Message) {
	t.Helper()
	made, ok := r.(*nfs.CreateResult)
	if !ok {
		return
	}
	found := a.ask(2, nfs.ProcLookup, &nfs.DirOp{Dir: root, Name: c.there}).(*nfs.LookupResult)
	if !made.Object.Follows || !bytes.Equal(made.Object.Value, found.Object) || !made.Attr.Follows {
		t.Errorf("%v: handle %x, not %x; attributes: %v", c.p, made.Object.Value, found.Object, made.Attr.Follows)
	}
}

// A gateway whose record of requests can't be written, or is damaged, serves.
func TestAGatewayServesWithoutARecordOfRequests(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"a folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"damage":   func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("damage"), 1000), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			array, _ := folder(t)
			s := settings{dir: t.TempDir(), array: array, ram: "16MiB", export: "squash: none"}
			must(t, "spoil", os.Mkdir(filepath.Join(s.dir, "data"), 0o700))
			must(t, "spoil", spoil(filepath.Join(s.dir, "data", "nfs-requests")))
			g := startGateway(t, s)
			g.waitFor(time.Second, `"level":"warn"`, "NFS requests")
			r := newAsker(t, "127.0.0.1", g.nfs).ask(1, nfs.ProcMkdir, &nfs.MkdirArgs{Where: nfs.DirOp{Dir: g.root(), Name: "d"}})
			if got := *nfs.StatusOf(r); got != nfs.OK {
				t.Error(got)
			}
			g.stop()
		})
	}
}
