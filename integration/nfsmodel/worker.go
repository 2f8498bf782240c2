package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"forebay/protocols/nfs"
)

// worker writes and reads shared files through one client.
type worker struct {
	client *client
	files  []*sharedFile
	random *rand.Rand

	straggle time.Duration // Options.Straggle
}

// run asks n things.
func (w *worker) run(ctx context.Context, n int) error {
	for range n {
		f := w.files[w.random.IntN(len(w.files))]
		first := w.random.IntN(units)
		if w.random.IntN(10) == 0 {
			first += units - unitsMax
		}
		count := 1 + w.random.IntN(unitsMax)
		var err error
		switch w.random.IntN(20) {
		case 0:
			err = w.commit(ctx, f)
		case 1:
			err = w.getAttr(ctx, f)
		case 2, 3, 4, 5, 6, 7, 8, 9, 10:
			err = w.writeUnits(ctx, f, first, count, nfs.Stable(w.random.IntN(3)))
		default:
			err = w.readUnits(ctx, f, first, count, false)
		}
		if err != nil {
			return fmt.Errorf("client %d, shared file %d: %w", w.client.number, f.tag, err)
		}
	}
	return nil
}

// writeUnits writes units, in several calls if the server takes less.
func (w *worker) writeUnits(ctx context.Context, f *sharedFile, first, count int, how nfs.Stable) error {
	v, p := f.startWrite(first, count)
	connects := w.client.calls.Stats().Connects
	weakest := nfs.WriteResult{Committed: nfs.FileSync}
	for off := uint64(first) * unitSize; len(p) > 0; {
		var r nfs.WriteResult
		if err := w.client.do(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: f.node.handle, Offset: off, Stable: how, Data: p}, &r); err != nil {
			return err
		}
		if r.Status != nfs.OK || r.Count == 0 || r.Count > uint32(len(p)) || r.Committed < how {
			return fmt.Errorf("WRITE [%d, +%d) %d: %s, %d bytes, committed %d", off, len(p), how, statusText(r.Status), r.Count, r.Committed)
		}
		if r.Committed < weakest.Committed || weakest.Verifier == (nfs.Verifier{}) {
			weakest.Committed, weakest.Verifier = r.Committed, r.Verifier
		}
		off, p = off+uint64(r.Count), p[r.Count:]
	}
	resent := w.client.calls.Stats().Connects != connects
	if resent {
		if err := pause(ctx, w.straggle); err != nil {
			return err
		}
	}
	f.endWrite(v, first, count, &weakest, resent)
	return nil
}

// readUnits reads units and checks them. whole: nobody writes meanwhile, so that each has to be of one version.
func (w *worker) readUnits(ctx context.Context, f *sharedFile, first, count int, whole bool) error {
	sent, size := f.startRead()
	defer f.endRead(sent)
	off, end := uint64(first)*unitSize, uint64(first+count)*unitSize
	var got []byte
	var attrs []nfs.PostOpAttr
	for eof := false; !eof && off < end; {
		var r nfs.ReadResult
		if err := w.client.do(ctx, nfs.ProcRead, &nfs.ReadArgs{File: f.node.handle, Offset: off, Count: uint32(end - off)}, &r); err != nil {
			return err
		}
		if r.Status != nfs.OK || len(r.Data) == 0 && !r.EOF {
			return fmt.Errorf("READ [%d, %d): %s, %d bytes, eof %t", off, end, statusText(r.Status), len(r.Data), r.EOF)
		}
		got, off, eof, attrs = append(got, r.Data...), off+uint64(len(r.Data)), r.EOF, append(attrs, r.Attr)
	}
	units := got[:len(got)&^(unitSize-1)]
	return w.judge(ctx, f, func() error {
		if off < min(end, size) && f.lost() == 0 {
			return fmt.Errorf("READ [%d, %d) ended at %d, of %d at least", first*unitSize, end, off, size)
		}
		for i := range attrs {
			if err := f.checkSize(&attrs[i], size); err != nil {
				return err
			}
		}
		return f.check(sent, first, units, whole)
	})
}

// judge checks; what is wrong is looked at again if the server says that it has a new verifier, so that something may have been lost.
func (w *worker) judge(ctx context.Context, f *sharedFile, check func() error) error {
	for {
		losses := f.lost()
		err := check()
		if err == nil {
			return nil
		}
		if asked := w.commit(ctx, f); asked != nil {
			return errors.Join(err, asked)
		}
		if f.lost() == losses {
			return err
		}
	}
}

func (w *worker) getAttr(ctx context.Context, f *sharedFile) error {
	sent, size := f.startRead()
	defer f.endRead(sent)
	var r nfs.GetAttrResult
	if err := w.client.do(ctx, nfs.ProcGetAttr, &nfs.HandleArgs{Object: f.node.handle}, &r); err != nil {
		return err
	}
	if r.Status != nfs.OK {
		return fmt.Errorf("GETATTR: %w", r.Status)
	}
	a := nfs.Some(r.Attr)
	return w.judge(ctx, f, func() error { return f.checkSize(&a, size) })
}

func (w *worker) commit(ctx context.Context, f *sharedFile) error {
	sent, _ := f.startRead()
	defer f.endRead(sent)
	var r nfs.CommitResult
	if err := w.client.do(ctx, nfs.ProcCommit, &nfs.CommitArgs{File: f.node.handle}, &r); err != nil {
		return err
	}
	if r.Status != nfs.OK {
		return fmt.Errorf("COMMIT: %w", r.Status)
	}
	f.committed(sent, r.Verifier)
	return nil
}

// checkSize checks a size that was told after a question that was sent when the file had at least the size sure.
func (f *sharedFile) checkSize(a *nfs.PostOpAttr, sure uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !a.Follows || a.Value.Size <= f.most && (a.Value.Size >= sure || f.losses > 0) {
		return nil
	}
	return fmt.Errorf("the size is %d, want %d to %d", a.Value.Size, sure, f.most)
}
