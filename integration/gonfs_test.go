package integration

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	gonfs "github.com/vmware/go-nfs-client/nfs"
	"github.com/vmware/go-nfs-client/nfs/rpc"
)

// An independent client: go-nfs-client, which finds MOUNT and NFS by the port mapper.
func TestGoNFSClientUsesAnExport(t *testing.T) {
	const host = "127.0.111.2"
	f := startGanesha(t)
	g := startGateway(t, settings{array: f.over(f.nfs), export: "squash: none", host: host, portmap: true, nfsPort: 12249, mountPort: 12248})
	m, err := gonfs.DialMount(host)
	must(t, "dial MOUNT", err)
	defer m.Close()
	auth := rpc.NewAuthUnix("client", 0, 0).Auth()
	v, err := m.Mount(demoExport, auth)
	must(t, "mount", err)
	defer v.Close()
	if s := g.status().Volumes[0]; s.Sessions != 1 {
		t.Errorf("%d clients are mounted", s.Sessions)
	}

	_, err = v.Mkdir("dir", 0o755)
	must(t, "mkdir", err)
	content := bytes.Repeat([]byte("forebay "), 100_000)
	write(t, v, "dir/file", content)
	if got := read(t, v, "dir/file"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes are read, not those that were written", len(got))
	}
	behind, err := os.ReadFile(filepath.Join(f.export, "dir", "file"))
	must(t, "the filer's file", err)
	if !bytes.Equal(behind, content) {
		t.Error("the filer has other bytes")
	}
	entries, err := v.ReadDirPlus("dir")
	must(t, "list", err)
	found := false
	for _, e := range entries {
		found = found || e.FileName == "file" && e.Attr.Attr.Filesize == uint64(len(content))
	}
	if !found {
		t.Errorf("%+v", entries)
	}
	must(t, "remove", v.RemoveAll("dir"))
	if _, _, err := v.Lookup("dir"); !os.IsNotExist(err) {
		t.Errorf("look-up of what was removed: %v", err)
	}
	must(t, "unmount", m.Unmount())
}

func write(t *testing.T, v *gonfs.Target, name string, content []byte) {
	t.Helper()
	f, err := v.OpenFile(name, 0o644)
	must(t, "create", err)
	_, err = io.Copy(f, bytes.NewReader(content))
	must(t, "write", err)
	must(t, "close", f.Close())
}

func read(t *testing.T, v *gonfs.Target, name string) []byte {
	t.Helper()
	f, err := v.Open(name)
	must(t, "open", err)
	got, err := io.ReadAll(f)
	must(t, "read", err)
	must(t, "close", f.Close())
	return got
}
