package gateway

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// stageFirst stages the first of exports of one filer, whose record names a log: missing, or the pool's own if that is empty.
func stageFirst(t *testing.T, missing string, names ...string) (*stagedFiles, *nfstest.Mem, etcd.Shard, error) {
	t.Helper()
	log, mem := newLines(t).logger(), nfstest.New(nfstest.Options{})
	p, err := newPool(configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: filepath.Join(t.TempDir(), "log.img"), Size: 2 * mib}}, true, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c := &configs.Config{Gateway: configs.Gateway{DataDir: t.TempDir()}}
	for _, name := range names {
		v := configs.Volume{Name: name, NFS: &configs.NFSExport{Export: "/" + name}}
		v.From.Array, v.Policy.Write = "nas", configs.WriteBack
		c.Volumes = append(c.Volumes, v)
	}
	g := New(Options{Config: c, Log: log})
	g.store = etcd.NewMemory()
	if missing == "" {
		missing = p.log.named()
	}
	if err := g.store.ChangeLog(t.Context(), names[0], "", missing, ""); err != nil {
		t.Fatal(err)
	}
	f := newFiler("nas", "memory", nil, log)
	f.attached(memory{mem})
	l, err := g.stage(t.Context(), c.Volumes[0], p, f, map[writelog.Shard]cachecore.Epoch{})
	r, recorded := g.store.Shard(t.Context(), names[0])
	if recorded != nil {
		t.Fatal(recorded)
	}
	return l, mem, r, err
}

func TestA4_AnExportIsAwayWithoutTheLogThatMayHaveItsWrites(t *testing.T) {
	l, mem, _, err := stageFirst(t, "missing", "one")
	if err != nil {
		t.Fatal(err)
	}
	a, r := &nfs.HandleArgs{Object: mem.Root()}, new(nfs.GetAttrResult)
	if err := l.files.Do(t.Context(), new(nfs.Caller), nfs.ProcGetAttr, a, r); !errors.Is(err, nfs.ErrAway) {
		t.Errorf("it answers %v", err)
	}
	says(t, errors.New(l.offline()), "missing", "forebay volume recover one")
}

// Exports that share a filer are served without a log: not where another has writes of one of them.
func TestA4_ExportsOfOneFilerMissALogToo(t *testing.T) {
	_, _, r, err := stageFirst(t, "missing", "one", "two")
	if says(t, err, "one", "missing", "nas"); !errors.Is(err, etcd.ErrOtherLog) || r.Log != "missing" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, r, err := stageFirst(t, "", "one", "two"); err != nil || r.Log != "" { // it has nothing
		t.Errorf("%+v, %v", r, err)
	}
}
