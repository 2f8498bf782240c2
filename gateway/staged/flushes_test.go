package staged

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"forebay/protocols/nfs"
)

// What is flushed while the destager carries an interval, as at the end of the gateway, is no reason for it to take what it writes meanwhile for committed.
func TestE1_WhatIsWrittenDuringAFlushOfOthersIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { flushedMeanwhile(t, nfs.OK) })
}

// Nor is what the filer refuses to commit then given up.
func TestE4_WhatIsRefusedToAFlushOfOthersIsSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { flushedMeanwhile(t, nfs.ErrDQuot) })
}

// flushedMeanwhile has somebody else's COMMIT answered between two WRITEs of an interval.
func flushedMeanwhile(t *testing.T, status nfs.Status) {
	r := newRig(t, slow)
	a, b := r.mem.Put("a", nil), r.mem.Put("b", nil)
	second, last, commit := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.over(func(c nfs.Caller, p nfs.Procedure, args, res nfs.Message, next func(nfs.Caller) error) error {
		w, ok := args.(*nfs.WriteArgs)
		switch {
		case ok && len(w.Data) > 0 && w.Offset > 0:
			<-second
		case ok && len(w.Data) > 0 && string(w.File) == string(b):
			<-last
		case p == nfs.ProcCommit && string(args.(*nfs.CommitArgs).File) == string(a):
			err := next(c)
			<-commit
			if status != nfs.OK {
				*res.(*nfs.CommitResult) = nfs.CommitResult{Status: status}
			}
			return err
		}
		return next(c)
	})
	r.write(a, 0, []byte("first"))
	r.write(a, 10, []byte("second"))
	r.write(b, 0, []byte("last"))
	drained, flushed := make(chan error, 1), make(chan error, 1)
	ctx := t.Context()
	go func() { drained <- r.array.Drain(ctx) }()
	synctest.Wait()
	go func() { flushed <- r.Array().Flush(ctx) }()
	synctest.Wait()
	close(second)
	synctest.Wait()
	close(commit)
	synctest.Wait()
	if err := <-flushed; (err != nil) != (status != nfs.OK) {
		t.Error(err)
	}
	close(last)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	r.mem.Restart()
	saved, _ := os.ReadFile(filepath.Join(r.parks.path(a), "data"))
	got := r.mem.Get("a")
	if status != nfs.OK {
		got = saved
	}
	if string(got) != "first\x00\x00\x00\x00\x00second" {
		t.Errorf("%q is left of what was acknowledged", got)
	}
}
