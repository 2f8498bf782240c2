package bench

import (
	"strings"
	"sync/atomic"
	"testing"

	"forebay/protocols/nfs"
)

// No call asks for more than FSINFO says (RFC 1813 3.3.19).
func TestCallsTransferNoMoreThanTheServerDoes(t *testing.T) {
	for _, verify := range []bool{false, true} {
		f := newFiler(t, testSize)
		var calls, tooLarge atomic.Int32
		f.intercept(func(_ nfs.Procedure, a, _ nfs.Message) bool {
			n := 0
			switch a := a.(type) {
			case *nfs.ReadArgs:
				n = int(a.Count)
			case *nfs.WriteArgs:
				n = len(a.Data)
			}
			if calls.Add(1); n > filerMax {
				tooLarge.Add(1)
			}
			return true
		})
		o := fileOptions(f)
		o.Verify, o.BlockSize, o.Depth = verify, 3*filerMax, 1
		if _, err := Run(t.Context(), o); err != nil || tooLarge.Load() > 0 {
			t.Errorf("verify %v: %d of %d calls are too large, %v", verify, tooLarge.Load(), calls.Load(), err)
		}
	}
}

func TestAServerThatTransfersLessThanASectorIsRefused(t *testing.T) {
	for what, limit := range map[string]func(r *nfs.FSInfoResult){
		"0 and 131072 bytes": func(r *nfs.FSInfoResult) { r.ReadMax = 0 },
		"131072 and 0 bytes": func(r *nfs.FSInfoResult) { r.WriteMax = 0 },
	} {
		f := newFiler(t, testSize)
		f.intercept(func(_ nfs.Procedure, _, r nfs.Message) bool {
			info, ok := r.(*nfs.FSInfoResult)
			if ok {
				info.ReadMax, info.WriteMax = filerMax, filerMax
				limit(info)
			}
			return !ok
		})
		if _, err := Run(t.Context(), fileOptions(f)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A LOOKUP need not tell the attributes of what it finds.
func TestAServerIsAskedForAttributesThatItLeavesOut(t *testing.T) {
	f := newFiler(t, testSize)
	f.intercept(func(_ nfs.Procedure, a, r nfs.Message) bool {
		found, ok := r.(*nfs.LookupResult)
		if ok {
			f.execute(a, r)
			found.Attr = nfs.PostOpAttr{}
		}
		return !ok
	})
	if r, err := Run(t.Context(), fileOptions(f)); err != nil || r.Operations == 0 || f.count(nfs.ProcGetAttr) == 0 {
		t.Errorf("%d operations, %d GETATTRs, %v", r.Operations, f.count(nfs.ProcGetAttr), err)
	}
}

func TestACallThatTransfersNothingIsNotMadeForEver(t *testing.T) {
	for _, write := range []bool{false, true} {
		inBubble(t, Options{}, func(t *testing.T, f *filer, s *fileSession) {
			var calls atomic.Int32
			f.intercept(func(nfs.Procedure, nfs.Message, nfs.Message) bool { return calls.Add(1) > 100 })
			err := s.transfer(t.Context(), 512, make([]byte, 512), write)
			if err == nil || !strings.Contains(err.Error(), "at 512: nothing was transferred") {
				t.Errorf("write %v: %v", write, err)
			}
		})
	}
}

// What was written unstable may be lost between the last WRITE and the COMMIT too.
func TestAnotherWriteVerifierOfACommitIsTold(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, f *filer, s *fileSession) {
		if err := s.transfer(t.Context(), 0, make([]byte, 512), true); err != nil {
			t.Fatal(err)
		}
		f.change(func([]byte) { f.boot[0]++ })
		if err := s.flush(t.Context()); err != nil || s.file.counts().verifiers != 1 {
			t.Errorf("%d changes are told, %v", s.file.counts().verifiers, err)
		}
	})
}
