package gateway

import (
	"path/filepath"
	"strings"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// An export whose writes are in the log is not served without it: others use the filer now, too, and would not see them.
func TestAnExportIsNotServedWithoutTheWritesThatTheLogHas(t *testing.T) {
	log, store, mem := newLines(t).logger(), etcd.NewMemory(), nfstest.New(nfstest.Options{})
	path := filepath.Join(t.TempDir(), "log.img")
	life := func(names ...string) (l *stagedFiles, err error) {
		p, err := newPool(configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: path, Size: 2 * mib}}, true, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.close(t.Context()) })
		c := &configs.Config{Gateway: configs.Gateway{DataDir: t.TempDir()}}
		for _, name := range names {
			v := configs.Volume{Name: name, NFS: &configs.NFSExport{Export: "/" + name}}
			v.From.Array, v.Policy.Write = "nas", configs.WriteBack
			c.Volumes = append(c.Volumes, v)
		}
		g := New(Options{Config: c, Log: log})
		g.store = store
		f := newFiler("nas", "memory", nil, log)
		f.attached(memory{mem})
		l, err = g.stage(t.Context(), c.Volumes[0], p, f, map[writelog.Shard]cachecore.Epoch{})
		if l != nil {
			u := nfstest.User{T: t, FS: l.files}
			if w := u.Write(mem.Put("a", nil), 0, nfs.Unstable, []byte("content")); w.Committed != nfs.FileSync {
				t.Errorf("%+v", w)
			}
		}
		if closed := p.log.close(); closed != nil {
			t.Error(closed)
		}
		p.log = nil
		return l, err
	}
	if _, err := life("one", "two"); err != nil {
		t.Error(err)
	}
	if l, err := life("one"); l == nil || err != nil {
		t.Fatal(l, err)
	}
	if _, err := life("one", "two"); err == nil || !strings.Contains(err.Error(), "acknowledged") {
		t.Errorf("it is served: %v", err)
	}
}
