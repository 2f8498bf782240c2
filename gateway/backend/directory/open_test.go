package directory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/cachecore"
	"forebay/gateway/backend/directory"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// attach opens a folder and closes it.
func attach(o directory.Options) (string, error) {
	d, err := directory.Open(o)
	if err != nil {
		return "", err
	}
	return d.Identity(), d.Close()
}

func TestAFolderIsKnownByItsIdentity(t *testing.T) {
	for name, where := range places {
		t.Run(name, func(t *testing.T) {
			o := directory.Options{Path: folderIn(t, where)}
			id, err := attach(o)
			must(t, err)
			o.Expected = id
			if again, err := attach(o); err != nil || again != id {
				t.Errorf("%q became %q: %v", id, again, err)
			}
			other := directory.Options{Path: folderIn(t, where), Expected: id}
			if _, err := attach(other); !errors.Is(err, cachecore.ErrIdentity) {
				t.Errorf("a folder without an identity: %v", err)
			}
			if _, err := unix.Getxattr(other.Path, "trusted.forebay.id", nil); !errors.Is(err, unix.ENODATA) {
				t.Errorf("a folder that is refused gets an identity: %v", err)
			}
			other.Expected = ""
			if otherID, err := attach(other); err != nil || otherID == id {
				t.Errorf("another folder: %q, %v", otherID, err)
			}
			other.Expected = id
			if _, err := attach(other); !errors.Is(err, cachecore.ErrIdentity) {
				t.Errorf("another identity: %v", err)
			}
			copyIdentity(t, o.Path, other.Path)
			if _, err := attach(other); !errors.Is(err, cachecore.ErrIdentity) {
				t.Errorf("a copy: %v", err)
			}
		})
	}
}

func copyIdentity(t *testing.T, from, to string) {
	t.Helper()
	p := make([]byte, 100)
	n, err := unix.Getxattr(from, "trusted.forebay.id", p)
	must(t, err)
	must(t, unix.Setxattr(to, "trusted.forebay.id", p[:n], 0))
}

func TestAFolderIsMadeOnlyAtFirst(t *testing.T) {
	o := directory.Options{Path: filepath.Join(folderIn(t, os.TempDir()), "export")}
	if _, err := attach(o); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("a folder that isn't there: %v", err)
	}
	o.Create = true
	id, err := attach(o)
	must(t, err)
	o.Expected = id
	must(t, os.Rename(o.Path, o.Path+".away"))
	if _, err := attach(o); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("a folder that has disappeared: %v", err)
	}
	if _, err := os.Stat(o.Path); err == nil {
		t.Error("it is made again")
	}
	must(t, os.WriteFile(o.Path, nil, 0o600))
	if _, err := attach(o); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: %v", err)
	}
}

func TestAFolderIsServedOnce(t *testing.T) {
	path := folderIn(t, os.TempDir())
	d := open(t, path)
	if _, err := attach(directory.Options{Path: path}); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("a second time: %v", err)
	}
	must(t, d.Close())
	_, err := attach(directory.Options{Path: path})
	must(t, err)
}

func TestAClosedFolderIsAway(t *testing.T) {
	d := open(t, folderIn(t, os.TempDir()))
	getAttr := func(ctx context.Context) error {
		return d.Do(ctx, &nfs.Caller{}, nfs.ProcGetAttr, &nfs.HandleArgs{Object: d.Root()}, new(nfs.GetAttrResult))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := getAttr(ended); !errors.Is(err, nfs.ErrAway) || !errors.Is(err, context.Canceled) || errors.Is(err, nfs.ErrOutcomeUnknown) {
		t.Errorf("an ended call: %v", err)
	}
	for _, p := range []nfs.Procedure{nfs.ProcNull, nfs.Procedures} {
		if err := d.Do(t.Context(), &nfs.Caller{}, p, nil, nil); err == nil || errors.Is(err, nfs.ErrAway) {
			t.Errorf("%v: %v", p, err)
		}
	}
	must(t, d.Close())
	if err := getAttr(t.Context()); !errors.Is(err, nfs.ErrAway) || errors.Is(err, nfs.ErrOutcomeUnknown) {
		t.Errorf("closed: %v", err)
	}
}

func TestHandlesOutliveRenamesAndRestarts(t *testing.T) {
	path := folderIn(t, os.TempDir())
	d := open(t, path)
	u := nfstest.User{T: t, FS: d}
	f := makeFile(t, u, d.Root(), "f", 0o644)
	root := d.Root()
	must(t, os.Rename(filepath.Join(path, "f"), filepath.Join(path, "g")))
	must(t, d.Close())
	u.FS = open(t, path)
	expect(t, "the file", u.GetAttr(f).Status, nfs.OK)
	expect(t, "the root", u.GetAttr(root).Status, nfs.OK)
}

func TestForeignHandlesAreRefused(t *testing.T) {
	_, u, root := rig(t)
	f := makeFile(t, u, root, "f", 0o644)
	changed := func(i int) nfs.Handle {
		h := append(nfs.Handle(nil), f...)
		h[i] ^= 0x55
		return h
	}
	_, _, otherRoot := rig(t)
	for what, c := range map[string]struct {
		h    nfs.Handle
		want nfs.Status
	}{
		"nothing":         {nil, nfs.ErrBadHandle},
		"its head":        {f[:10], nfs.ErrBadHandle},
		"version":         {changed(0), nfs.ErrBadHandle},
		"check":           {changed(2), nfs.ErrStale},
		"inode":           {changed(11), nfs.ErrStale},
		"generation":      {changed(len(f) - 1), nfs.ErrStale},
		"too long":        {append(append(nfs.Handle(nil), f...), make([]byte, 50)...), nfs.ErrBadHandle},
		"another folder":  {otherRoot, nfs.ErrStale},
		"cut":             {f[:len(f)-4], nfs.ErrStale},
		"the file itself": {f, nfs.OK},
	} {
		expect(t, what, u.GetAttr(c.h).Status, c.want)
	}
	if len(f) > 52 {
		t.Errorf("a handle has %d bytes", len(f))
	}
}

// TestWithoutRoot runs itself as nobody, since only a whole process can be that.
func TestWithoutRoot(t *testing.T) {
	if path := os.Getenv("FOREBAY_TEST_FOLDER"); path != "" {
		serveAsNobody(t, path)
		return
	}
	path := folderIn(t, os.TempDir())
	must(t, os.Chown(path, 65534, 65534))
	program := copyOfTest(t)
	for _, c := range []struct {
		capabilities []uintptr
		wants        string
	}{{nil, "CAP_DAC_READ_SEARCH"}, {[]uintptr{unix.CAP_DAC_READ_SEARCH}, "served as 65534"}} {
		cmd := exec.Command(program, "-test.run=^TestWithoutRoot$", "-test.v")
		cmd.Env = append(os.Environ(), "FOREBAY_TEST_FOLDER="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: c.capabilities}
		cmd.Dir = "/"
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), c.wants) {
			t.Errorf("with %v: %s", c.capabilities, out)
		}
	}
}

func serveAsNobody(t *testing.T, path string) {
	d, err := directory.Open(directory.Options{Path: path, Log: zerolog.Nop()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	u := nfstest.User{T: t, FS: d}
	for _, who := range []nfstest.User{u, u.As(1000, 1000)} {
		r := who.Create(d.Root(), fmt.Sprint("of-", who.Caller.UID), 0o600)
		expect(t, "create", r.Status, nfs.OK)
		if r.Attr.Value.UID != 65534 {
			t.Errorf("%d's file belongs to %d", who.Caller.UID, r.Attr.Value.UID)
		}
	}
	if !t.Failed() {
		fmt.Println("served as 65534")
	}
}

// copyOfTest is this program where everybody can run it.
func copyOfTest(t *testing.T) string {
	t.Helper()
	dir := folderIn(t, "/dev/shm")
	must(t, os.Chmod(dir, 0o755))
	from, err := os.Open("/proc/self/exe")
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(dir, "test"), os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, errors.Join(err, to.Close()))
	return to.Name()
}
