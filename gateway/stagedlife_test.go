package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/export"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// stagedLives is an export whose writes a log on a file acknowledges, over a filer in memory: one life after the other.
type stagedLives struct {
	t     *testing.T
	dir   string
	nas   string // the filer
	tier  configs.Tier
	store etcd.Store
	mem   *nfstest.Mem
	file  nfs.Handle

	g     *Gateway
	share *share
	u     nfstest.User
	stop  func()
}

func newStagedLives(t *testing.T) *stagedLives {
	x := &stagedLives{t: t, dir: t.TempDir(), nas: "nas", store: etcd.NewMemory(), mem: nfstest.New(nfstest.Options{})}
	x.tier = configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: filepath.Join(x.dir, "log.img"), Size: 2 * mib}}
	x.file = x.mem.Put("a", make([]byte, 100))
	return x
}

// begin begins a life in which what is acknowledged is not carried.
func (x *stagedLives) begin() {
	x.t.Helper()
	c := configs.Volume{Name: "one", Pool: "fast", NFS: &configs.NFSExport{Export: "/one"}}
	c.From.Array, c.Policy.Write = x.nas, configs.WriteBack
	x.g = New(Options{Config: &configs.Config{Gateway: configs.Gateway{DataDir: x.dir}, Volumes: []configs.Volume{c}}, Log: newLines(x.t).logger()})
	x.g.store = x.store
	p, err := newPool(x.tier, true, x.g.log)
	if err != nil {
		x.t.Fatal(err)
	}
	f := newFiler(x.nas, "memory", nil, x.g.log)
	f.attached(memory{x.mem})
	x.g.pools["fast"], x.g.filers[x.nas] = p, f
	bases := map[writelog.Shard]cachecore.Epoch{}
	err = x.g.addShare(x.t.Context(), arrays{store: x.store, filers: x.g.filers, log: x.g.log}, c, configs.Array{Name: x.nas}, p, new(export.Objects), bases)
	if err = errors.Join(err, x.g.replay(bases), x.g.nameLogs(x.t.Context())); err != nil {
		x.t.Fatal(err)
	}
	x.share, x.stop = x.g.shares[0], func() {}
	x.u = nfstest.User{T: x.t, FS: x.share.served.Files}
}

// run has it carried.
func (x *stagedLives) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		x.share.run(ctx)
		close(ended)
	}()
	x.stop = func() { cancel(); <-ended }
}

func (x *stagedLives) end() {
	x.t.Helper()
	err := x.share.close(context.Background())
	x.stop()
	if err = errors.Join(err, x.g.release()); err != nil {
		x.t.Error(err)
	}
}

func (x *stagedLives) write(content byte) {
	x.t.Helper()
	if w := x.u.Write(x.file, 0, nfs.FileSync, bytes.Repeat([]byte{content}, 50)); w.Status != nfs.OK || w.Committed != nfs.FileSync {
		x.t.Errorf("%+v", w)
	}
}

// expect holds what clients see against what it should be, and what the filer has.
func (x *stagedLives) expect(seen, filer byte) {
	x.t.Helper()
	below := nfstest.User{T: x.t, FS: x.mem}
	for _, c := range []struct {
		what string
		got  []byte
		want byte
	}{{"clients see", x.u.Read(x.file, 0, 50).Data, seen}, {"the filer has", below.Read(x.file, 0, 50).Data, filer}} {
		if !bytes.Equal(c.got, bytes.Repeat([]byte{c.want}, 50)) {
			x.t.Errorf("%s %q, not %q", c.what, c.got, c.want)
		}
	}
}

// What an export has acknowledged is seen, outlives a restart, and is carried to the filer.
func TestWhatAnExportAcknowledgesIsCarriedThoughInALaterLife(t *testing.T) {
	x := newStagedLives(t)
	x.begin()
	x.write('a')
	x.expect('a', 0)
	if v := x.share.status(0); v.Requested != "write-back" || v.Effective != "write-back" || v.Writeback.DirtyBytes < 50 || !v.Writeback.SurvivesPowerLoss {
		t.Errorf("%+v, %+v", v, v.Writeback)
	}
	x.end()
	x.begin()
	defer func() { x.end() }()
	x.expect('a', 0)
	x.write('b')
	x.run()
	if err := x.g.Drain(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	x.expect('b', 'b')
	if v := x.share.status(0); v.Writeback.DirtyBytes != 0 {
		t.Errorf("%+v", v.Writeback)
	}
}

// The base of an export says which of its records count, as that of a LUN does (PROTOCOL A2).
func TestA2_RecordsOfAnExportBelowTheBaseDoNotCount(t *testing.T) {
	x := newStagedLives(t)
	x.begin()
	x.write('a')
	if _, err := x.store.RaiseBase(t.Context(), "one", x.share.pool.log.named(), x.share.config.From.Array); err != nil {
		t.Fatal(err)
	}
	x.end()
	x.begin()
	defer func() { x.end() }()
	x.expect(0, 0)
}

// A log in RAM acknowledges nothing as stable that the filer doesn't have, and what it has is carried before the end.
func TestB8_AnExportOverALogInRAMIsCarriedBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStagedLives(t)
		x.tier.Log = nil
		x.begin()
		x.run()
		w := x.u.Write(x.file, 0, nfs.Unstable, bytes.Repeat([]byte{'a'}, 50))
		if w.Status != nfs.OK || w.Committed != nfs.Unstable {
			t.Errorf("%+v", w)
		}
		if err := x.share.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		below := nfstest.User{T: t, FS: x.mem}
		if got := below.Read(x.file, 0, 50).Data; !bytes.Equal(got, bytes.Repeat([]byte{'a'}, 50)) {
			t.Errorf("the filer has %q", got)
		}
		x.end()
	})
}

// A filer that takes nothing takes all the time that there is for that at the end. Nothing is under way by then, and the end is in order.
func TestAnExportWhoseFilerTakesNothingEndsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newStagedLives(t)
		x.tier.Log = nil
		x.begin() // and nothing is carried
		if w := x.u.Write(x.file, 0, nfs.Unstable, bytes.Repeat([]byte{'a'}, 50)); w.Status != nfs.OK {
			t.Errorf("%+v", w)
		}
		ctx, cancel := context.WithTimeout(t.Context(), grace)
		defer cancel()
		if err := x.share.close(ctx); err != nil {
			t.Error(err)
		}
		if err := x.g.release(); err != nil {
			t.Error(err)
		}
	})
}

// An export whose log is another one is offline, and says why.
func TestA4_AnExportWithoutItsLogSaysWhy(t *testing.T) {
	x := newStagedLives(t)
	if err := x.store.ChangeLog(t.Context(), "one", "", "missing", ""); err != nil {
		t.Fatal(err)
	}
	x.begin()
	defer func() { x.end() }()
	ready, reason := x.share.serves()
	if v := x.share.status(0); ready || reason != x.share.staged.offline() || v.Effective != writeback.Lost.String() || v.Reason != reason {
		t.Errorf("%v, %q; %+v", ready, reason, v)
	}
	says(t, x.g.DeclareLost(t.Context(), "none"), "none of that name")
	if err := x.g.DeclareLost(t.Context(), "one"); err != nil {
		t.Error(err)
	}
}

// What filers have refused for good is found again, by volume.
func TestE4_WhatWasRefusedOfAVolumeIsTold(t *testing.T) {
	x := newStagedLives(t)
	for _, dir := range []string{"one/0102", "two/0304", "two/0506"} {
		if err := os.MkdirAll(filepath.Join(x.dir, parkedDir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	x.begin()
	defer func() { x.end() }()
	if got := x.share.status(0).Writeback.RefusedFiles; got != 1 {
		t.Errorf("%d files", got)
	}
}

// slow is a filer whose READs behind the first MiB end when a test says so, whether their callers are there or not.
type slow struct {
	memory
	asked, goOn chan struct{}
}

func (f slow) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if args, ok := a.(*nfs.ReadArgs); ok && args.Offset >= mib {
		f.asked <- struct{}{}
		<-f.goOn
	}
	return f.memory.Do(ctx, c, p, a, r)
}

// A call to a folder ends when the kernel has done it: who waits for it and gives up is not kept so long.
func TestACallToAFolderKeepsNobodyWhoGivesUp(t *testing.T) {
	n := builtNAS(t, nfstest.New(nfstest.Options{}), etcd.NewMemory(), "portmap: off", "")
	f := newFiler("folder", filerDirectory, nil, n.log)
	below := slow{memory{n.mem}, make(chan struct{}), make(chan struct{})}
	f.attached(below)
	c := configs.Volume{Name: "x", Pool: "fast", NFS: &configs.NFSExport{Export: "/x", AttributeCache: configs.Duration(time.Hour)}}
	s, err := newShare(c, 1, n.pools["fast"], new(export.Objects), f, nil, false, n.log)
	if err != nil {
		t.Fatal(err)
	}
	n.shares = append(n.shares, s)
	h := n.mem.Put("a", make([]byte, 3*mib))
	read := func(ctx context.Context, off uint64) error {
		var sink discard
		return s.export.Read(ctx, new(nfs.Caller), &nfs.ReadArgs{File: h, Offset: off, Count: 4096}, new(nfs.ReadResult), &sink)
	}
	if err := read(t.Context(), 0); err != nil { // who may is known from then on
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- read(ctx, 2*mib) }()
	<-below.asked
	cancel()
	if err := <-ended; err == nil {
		t.Error("it has been read")
	}
	close(below.goOn)
}

// A log acknowledges nothing of files that nobody has seen yet, and the status doesn't say that it does.
func TestAnExportWhoseFilerWasNeverThereIsSuspended(t *testing.T) {
	x := newStagedLives(t)
	x.begin()
	defer func() { x.end() }()
	there := x.share.filer
	x.share.filer = newFiler("nas", filerNFS, nil, x.g.log)
	if v := x.share.status(0); v.Requested != "write-back" || v.Effective != suspended || v.Reason != "array nas: not attached yet" {
		t.Errorf("%+v", v)
	}
	x.share.filer = there
}
