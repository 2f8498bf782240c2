package export

import (
	"bytes"
	"context"
	"math"
	"testing"

	"forebay/protocols/nfs"
)

// far is a file system whose files are as much longer, by what nobody reads or writes.
type far struct{ nfs.FileSystem }

const farther = math.MaxInt64 - 1<<20 + 1

func (f far) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	switch x := a.(type) {
	case *nfs.ReadArgs:
		a = &nfs.ReadArgs{File: x.File, Offset: x.Offset - farther, Count: x.Count}
	case *nfs.WriteArgs:
		a = &nfs.WriteArgs{File: x.File, Offset: x.Offset - farther, Stable: x.Stable, Data: x.Data}
	}
	err := f.FileSystem.Do(ctx, c, p, a, r)
	longer := func(a *nfs.Attr) {
		if a.Type == nfs.Regular {
			a.Size += farther
		}
	}
	switch r := r.(type) {
	case *nfs.GetAttrResult:
		longer(&r.Attr)
	case *nfs.ReadResult:
		longer(&r.Attr.Value)
	case *nfs.WriteResult:
		r.Wcc.Before.Value.Size += farther
		longer(&r.Wcc.After.Value)
	}
	return err
}

// The longest files that there are end behind the last whole block.
func TestWhatIsWrittenUpToTheLastByteThatThereCanBeIsRead(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Files = far{o.Files} })
	h := r.mem.Put("a", nil)
	const last = addressSpace - 4096
	write := func(off uint64, p []byte) {
		t.Helper()
		if w := r.root.Write(h, off, nfs.Unstable, p); w.Status != nfs.OK || int(w.Count) != len(p) {
			t.Errorf("%v, %d of %d bytes", w.Status, w.Count, len(p))
		}
	}
	read := func(off uint64, want []byte) {
		t.Helper()
		got := r.root.Read(h, off, uint32(len(want)))
		if eof := off+uint64(len(want)) == math.MaxInt64; got.Status != nfs.OK || got.EOF != eof || !bytes.Equal(got.Data, want) {
			t.Errorf("%v, %q at the end of %d bytes, EOF %v", got.Status, got.Data[max(len(got.Data)-4, 0):], len(got.Data), got.EOF)
		}
	}
	write(math.MaxInt64-1, of('z', 1))
	read(math.MaxInt64-1, of('z', 1))
	write(last, of('a', 4096))
	read(last, of('a', 4096))
	write(last, of('b', 8191))
	if size := r.root.GetAttr(h).Attr.Size; size != math.MaxInt64 {
		t.Errorf("%d bytes", size)
	}
	read(last, of('b', 4096))
	read(last, of('b', 8191))
	read(addressSpace, of('b', 4095))
	write(addressSpace, of('c', 5))
	read(addressSpace, append(of('c', 5), of('b', 4090)...))
	read(last+4090, append(of('b', 6), of('c', 5)...))
}
