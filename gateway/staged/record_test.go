package staged

import (
	"testing"

	"forebay/protocols/nfs"
)

// Whoever appends, and however: a record names its file.
func TestALaunchedRecordNamesItsFile(t *testing.T) {
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old content"))
	f, err := r.use(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	if !r.array.Launch([]byte("new"), f.address(0), func(err error) { done <- err }) {
		t.Fatal("not taken")
	}
	r.array.Kick()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !f.staged() {
		t.Error("nobody knows that the file has a record")
	}
	r.letGo(f)
	r.restart()
	r.expect(h, []byte("new content"))
	r.drain()
	if got := r.mem.Get("a"); string(got) != "new content" {
		t.Errorf("the filer has %q", got)
	}
}

// A size in the log is the end for every READ, however far behind it the filer has something yet.
func TestNothingIsReadBehindALoggedSize(t *testing.T) {
	const far = uint64(slotSize)
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old content"))
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		read, ok := a.(*nfs.ReadArgs)
		if !ok || read.Offset < far {
			return next(c)
		}
		old := res.(*nfs.ReadResult)
		*old = nfs.ReadResult{Count: 3, EOF: true, Data: append(old.Data[:0], "old"...)}
		return nil
	})
	if got := r.root.Read(h, far, 10); string(got.Data) != "old" {
		t.Fatalf("of a file without a record: %v, %q", got.Status, got.Data)
	}
	r.resize(h, 3)
	for _, off := range []uint64{3, 4, far - 1, far, far + 1, 1<<63 - 1, 1<<64 - 1} {
		if got := r.root.Read(h, off, 10); got.Status != nfs.OK || !got.EOF || got.Count != 0 || len(got.Data) != 0 || got.Attr.Value.Size != 3 {
			t.Errorf("READ at %d: %v, %q, EOF %t, size %d", off, got.Status, got.Data, got.EOF, got.Attr.Value.Size)
		}
	}
	r.expect(h, []byte("old"))
}

// What lies behind a slot is the filer's, of a file with records too.
func TestTheFilerIsReadBehindASlot(t *testing.T) {
	const far = uint64(slotSize)
	r := newRig(t, slow)
	h := r.mem.Put("a", []byte("old content"))
	r.over(func(c nfs.Caller, _ nfs.Procedure, a, res nfs.Message, next func(nfs.Caller) error) error {
		if read, ok := a.(*nfs.ReadArgs); ok && read.Offset >= far {
			there := res.(*nfs.ReadResult)
			*there = nfs.ReadResult{Count: 3, Data: append(there.Data[:0], "far"...)}
			return nil
		}
		err := next(c)
		switch res := res.(type) {
		case *nfs.GetAttrResult:
			res.Attr.Size = far + 10
		case *nfs.ReadResult:
			res.Attr.Value.Size = far + 10
		case *nfs.WriteResult:
			res.Wcc.After.Value.Size = far + 10
		}
		return err
	})
	r.write(h, 0, []byte("new"))
	if got := r.root.Read(h, far+1, 3); got.Status != nfs.OK || string(got.Data) != "far" {
		t.Errorf("%v, %q", got.Status, got.Data)
	}
	if got := r.root.Read(h, far+10, 3); got.Status != nfs.OK || !got.EOF || got.Count != 0 {
		t.Errorf("%v, %q", got.Status, got.Data)
	}
}
