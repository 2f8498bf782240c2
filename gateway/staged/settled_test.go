package staged

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// A file is settled when the filer has all of it; then it is as the filer shows it, whatever is shown of it here.
func TestAFileIsSettledWhenTheFilerHasIt(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("content"))
	filer := nfstest.User{T: r.T(), FS: r.mem}
	settled := func() *nfs.Attr {
		t.Helper()
		attr, v, err := r.Settled(t.Context(), &nfs.Caller{}, h)
		if c := filer.Commit(h); err != nil || v != c.Verifier {
			t.Fatalf("%x, the filer has %x (%v)", v, c.Verifier, err)
		}
		return attr
	}
	expect := func(what string) {
		t.Helper()
		attr := settled()
		if attr == nil || *attr != filer.GetAttr(h).Attr {
			t.Errorf("%s: %+v", what, attr)
		}
	}
	expect("a file without a slot")
	r.write(h, 0, []byte("other"))
	if attr := settled(); attr != nil {
		t.Errorf("the log has something of it: %+v", attr)
	}
	r.drain()
	expect("a file that was carried")
	if r.root.GetAttr(h).Attr.Ctime == filer.GetAttr(h).Attr.Ctime {
		t.Error("it is not shown otherwise")
	}
	filer.Write(h, 0, nfs.Unstable, []byte("others'"))
	expect("a file that others have changed")
	r.mem.Restart()
	if got := r.mem.Get("a"); string(got) != "others'" {
		t.Errorf("it was not made durable: %q", got)
	}
	r.restart()
	expect("a file of an earlier life")
}

func TestAFileIsNotSettledIf(t *testing.T) {
	for name, between := range map[string]func(*rig, nfs.Handle){
		"it is written to meanwhile": func(r *rig, h nfs.Handle) { r.write(h, 0, []byte("b")) },
		"it is written to and carried meanwhile": func(r *rig, h nfs.Handle) {
			r.write(h, 0, []byte("b"))
			r.drain()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", []byte("content"))
			var first atomic.Bool
			held := r.mem.Hold(nfstest.After, func(p nfs.Procedure, _ nfs.Message) bool {
				return p == nfs.ProcGetAttr && first.CompareAndSwap(false, true)
			})
			done := make(chan *nfs.Attr)
			go func() {
				attr, _, err := r.Settled(context.Background(), &nfs.Caller{}, h)
				if err != nil {
					t.Error(err)
				}
				done <- attr
			}()
			<-held.Caught
			between(r, h)
			held.Release()
			if attr := <-done; attr != nil {
				t.Errorf("it is: %+v", attr)
			}
		})
	}
}

func TestAFilerThatRefusesToCommitSaysSo(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("content"))
	if _, _, err := r.Settled(t.Context(), &nfs.Caller{UID: 5, GID: 5}, h); !errors.Is(err, nfs.ErrAcces) {
		t.Error(err)
	}
}

// Nor is anything settled of which something is saved, as the filer refused it, or where the log has lost records.
func TestNothingIsSettledThatTheFilerWillNeverHave(t *testing.T) {
	r := newRig(t, slow)
	h, other := r.mem.Put("a", nil), r.mem.Put("b", nil)
	if err := r.parks.put(h, []byte("content"), 0, nfs.ErrDQuot); err != nil {
		t.Fatal(err)
	}
	if attr, _, err := r.Settled(t.Context(), &nfs.Caller{}, h); attr != nil || err != nil {
		t.Errorf("what is saved: %+v, %v", attr, err)
	}
	r.array.Lose(errors.New("damage"))
	if attr, _, err := r.Settled(t.Context(), &nfs.Caller{}, other); attr != nil || !errors.Is(err, nfs.ErrAway) {
		t.Errorf("without the log's records: %+v, %v", attr, err)
	}
}
