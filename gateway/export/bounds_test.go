package export

import (
	"context"
	"fmt"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/cachecore/stats"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// There are more files in the course of time than numbers.
func TestNumbersOfObjectsAreGivenBackAndNeverSharedNorPastTheLast(t *testing.T) {
	o := new(Objects)
	o.Reserve(3)
	o.mu.last = ram.LastObject - 1
	seen := map[cachecore.ObjectID]bool{}
	for range 5 {
		id := o.take()
		if id <= 3 || id > ram.LastObject || seen[id] {
			t.Fatalf("%d", id)
		}
		seen[id] = true
	}
	for id := range seen {
		o.give(id)
	}
	o.mu.last = 3
	if id := o.take(); seen[id] {
		t.Errorf("%d was given back a moment ago", id)
	}
	for range resting {
		o.give(o.take())
	}
	o.mu.last = 3
	if id := o.take(); id != 4 {
		t.Errorf("%d: %d has rested", id, 4)
	}
}

func TestFilesThatHaveANumberAfterTheLastAreCachedAllTheSame(t *testing.T) {
	r := newRig(t)
	r.export.opts.Objects.mu.last = ram.LastObject
	h := r.mem.Put("a", of('a', 10000))
	r.expect(h, of('a', 10000))
	if n := r.asks(nfs.ProcRead, func() { r.expect(h, of('a', 10000)) }); n != 0 {
		t.Errorf("%d READs", n)
	}
}

// A file whose readers have given up gives its place to another, though the array still owes its blocks.
func TestAFileThatTheArrayOwesIsNotWaitedForByWhoNeedsItsPlace(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Nodes = 1 })
	h := r.mem.Put("slow", of('a', 10000))
	r.root.Read(h, 0, 1)
	owed := r.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
		return p == nfs.ProcRead && a.(*nfs.ReadArgs).Count > 1
	})
	ctx, cancel := context.WithCancel(t.Context())
	read := start(func() { _, _ = r.outcomeIn(ctx, nfs.ProcRead, &nfs.ReadArgs{File: h, Offset: 4096, Count: 4096}) })
	<-owed.Caught
	cancel()
	<-read
	for i := range 200 {
		r.root.GetAttr(r.mem.Put(fmt.Sprint(i), nil))
	}
	owed.Release()
	r.expect(h, of('a', 10000))
}

// Names are bounded over all directories, and those that are forgotten are looked up again.
func TestNamesAreBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Nodes = 16 })
	for i := range 50 {
		for j := range 20 {
			r.mem.Put(fmt.Sprintf("%d/%d", i, j), nil)
		}
	}
	for i := range 50 {
		dir := r.root.Lookup(r.mem.Root(), fmt.Sprint(i)).Object
		for j := range 20 {
			if got := r.root.Lookup(dir, fmt.Sprint(j)); got.Status != nfs.OK {
				t.Fatal(got.Status)
			}
		}
	}
	names := 0
	for _, n := range r.export.table.all() {
		names += len(n.mu.names.list)
	}
	if used := r.export.table.names.used.Load(); used != int64(names) || names > 16*namesPerNode {
		t.Errorf("%d names, of %d that are counted", names, used)
	}
}

func TestNamesOfADirectoryAreBoundedAndSoAreThoseOfAll(t *testing.T) {
	budget := &nameBudget{most: 2 * maxNames}
	one, two, three := names{of: budget}, names{of: budget}, names{of: budget}
	for i := range maxNames + 10 {
		for _, n := range []*names{&one, &two, &three} {
			n.enter(fmt.Sprint(i), nfs.Handle("h"))
			if len(n.list) > maxNames {
				t.Fatalf("%d names of a directory", len(n.list))
			}
		}
		all := len(one.list) + len(two.list) + len(three.list)
		if used := budget.used.Load(); used != int64(all) || used > budget.most {
			t.Fatalf("%d names, of %d that are counted", all, used)
		}
	}
}

// Reading ahead is nobody's read: it counts neither as a hit nor as a miss.
func TestReadingAheadIsNotCountedAsReading(t *testing.T) {
	count := new(stats.Volume)
	r := newRig(t, func(o *Options) { o.ReadAhead, o.Stats = 0, count })
	h := r.mem.Put("a", of('a', 2*mib))
	for off := uint64(0); off < 2*mib; off += 32 << 10 {
		if got := r.root.Read(h, off, 32<<10); got.Status != nfs.OK || got.Count != 32<<10 {
			t.Fatal(got.Status)
		}
		r.export.works.Wait()
	}
	s := count.Snapshot()
	if blocks := s.HitBlocks + s.MissedBlocks; blocks != 2*mib/cachecore.BlockSize || s.MissedBlocks > blocks/4 {
		t.Errorf("%d hits, %d misses", s.HitBlocks, s.MissedBlocks)
	}
}

// An array that answers nothing any more must not take all goroutines and buffers for what nobody waits for.
func TestReadingAheadIsBounded(t *testing.T) {
	r := newRig(t, func(o *Options) { o.ReadAhead, o.Nodes = 0, 4096 })
	var files []nfs.Handle
	for i := range 2 * maxPrefetches {
		files = append(files, r.mem.Put(fmt.Sprint(i), of('a', mib)))
		r.root.Read(files[i], 0, 60<<10)
	}
	held := r.mem.Hold(nfstest.Before, func(p nfs.Procedure, a nfs.Message) bool {
		return p == nfs.ProcRead && a.(*nfs.ReadArgs).Offset >= 64<<10
	})
	for _, h := range files {
		r.root.Read(h, 32<<10, 64<<10)
	}
	if n := len(r.export.prefetches); n == 0 || n > maxPrefetches {
		t.Errorf("%d prefetches", n)
	}
	if free := r.export.opts.Buffers.Free(); free < 7*mib {
		t.Errorf("%d bytes of buffers are left", free)
	}
	held.Release()
}
