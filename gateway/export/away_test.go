package export

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

var errAway = fmt.Errorf("cut: %w", nfs.ErrAway)

func anything(nfs.Procedure, nfs.Message) bool { return true }

// outcome is what a call through an export ends with.
func (r *rig) outcome(p nfs.Procedure, a nfs.Message) (nfs.Status, error) {
	return r.outcomeIn(r.Context(), p, a)
}

func (r *rig) outcomeIn(ctx context.Context, p nfs.Procedure, a nfs.Message) (nfs.Status, error) {
	_, result := nfs.NewMessages(p)
	if x, ok := result.(*nfs.ReadResult); ok {
		x.Data = make([]byte, 1<<20)
	}
	err := client{r.export}.Do(ctx, &nfs.Caller{}, p, a, result)
	return *nfs.StatusOf(result), err
}

func TestCallsAreHeldWhileTheArrayIsAway(t *testing.T) {
	calls := func(h nfs.Handle, dir nfs.Handle) map[nfs.Procedure]nfs.Message {
		return map[nfs.Procedure]nfs.Message{
			nfs.ProcGetAttr: &nfs.HandleArgs{Object: h},
			nfs.ProcRead:    &nfs.ReadArgs{File: h, Count: 100},
			nfs.ProcWrite:   &nfs.WriteArgs{File: h, Data: of('b', 100)},
			nfs.ProcCommit:  &nfs.CommitArgs{File: h},
			nfs.ProcMkdir:   &nfs.MkdirArgs{Where: nfs.DirOp{Dir: dir, Name: "d"}},
			nfs.ProcRemove:  &nfs.DirOp{Dir: dir, Name: "b"},
		}
	}
	for p := range calls(nil, nil) {
		t.Run(p.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, without, func(o *Options) { o.OnArrayLoss = 25 * time.Second })
				h := r.mem.Put("a", of('a', 100))
				r.mem.Put("b", nil)
				away := r.mem.Fail(nfstest.Before, errAway, anything)
				time.AfterFunc(20*time.Second, away.Release)
				if status, err := r.outcome(p, calls(h, r.mem.Root())[p]); err != nil || status != nfs.OK {
					t.Error(status, err)
				}
				away = r.mem.Fail(nfstest.Before, errAway, anything)
				start := time.Now()
				_, err := r.outcome(p, calls(h, r.mem.Root())[p])
				if held := time.Since(start); !errors.Is(err, nfs.ErrAway) || held < 25*time.Second || held > 27*time.Second {
					t.Errorf("%v after %v", err, held)
				}
				away.Release()
			})
		})
	}
}

func TestASoftExportFailsInsteadOfAskingToTryAgain(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Soft = true })
	h := r.mem.Put("a", of('a', 100))
	away := r.mem.Fail(nfstest.Before, errAway, anything)
	defer away.Release()
	if _, err := r.outcome(nfs.ProcGetAttr, &nfs.HandleArgs{Object: h}); !errors.Is(err, nfs.ErrIO) {
		t.Error(err)
	}
	if status, err := r.outcome(nfs.ProcRead, &nfs.ReadArgs{File: h, Count: 10}); status != nfs.ErrIO && !errors.Is(err, nfs.ErrIO) {
		t.Error(status, err)
	}
}

// A change that may have been executed is not asked for again: the second answer would be that of another question.
func TestH2_AChangeOfNamesOfUnknownOutcomeIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.OnArrayLoss = time.Minute })
		r.mem.Put("a", nil)
		lost := r.mem.Fail(nfstest.After, fmt.Errorf("%w: %w", nfs.ErrAway, nfs.ErrOutcomeUnknown), nfstest.Only(nfs.ProcRemove))
		defer lost.Release()
		if _, err := r.outcome(nfs.ProcRemove, &nfs.DirOp{Dir: r.mem.Root(), Name: "a"}); !errors.Is(err, nfs.ErrOutcomeUnknown) {
			t.Error(err)
		}
		if n := r.mem.Calls(nfs.ProcRemove); n != 1 {
			t.Errorf("asked for %d times", n)
		}
	})
}
