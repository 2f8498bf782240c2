package export

import (
	"context"
	"errors"
	"fmt"
	"math"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// file is a regular file as the array of its volume: an address space that reads as zeros behind the end. What changes it comes by
// Volume.WriteBy and Alter.
type file struct {
	export *Export
	node   *node
}

// addressSpace is the size of a file as an array in bytes. There are no files that are longer by a block.
const addressSpace = math.MaxInt64 &^ (cachecore.BlockSize - 1)

// behind says whether n bytes at an offset end behind that.
func behind(off uint64, n int) bool { return off > addressSpace-uint64(n) }

// Info implements cachecore.Array.
func (f *file) Info() cachecore.ArrayInfo {
	return cachecore.ArrayInfo{Size: addressSpace, LogicalBlock: 1, Interruptible: f.export.opts.Interruptible}
}

// ReadAt implements cachecore.Array, on behalf of a user that may read the file.
func (f *file) ReadAt(ctx context.Context, p []byte, off int64) error {
	reader := f.node.reader()
	for cuts := 0; len(p) > 0; {
		a := nfs.ReadArgs{File: f.node.handle, Offset: uint64(off), Count: uint32(min(len(p), maxTransfer))}
		r := nfs.ReadResult{Data: p[:a.Count]}
		q := f.node.ask()
		if err := f.export.once(ctx, &reader, nfs.ProcRead, &a, &r); err != nil {
			return err
		}
		if r.Status != nfs.OK {
			return fmt.Errorf("READ: %w", r.Status)
		}
		f.export.note(f.node, &q, &r.Attr)
		if err := f.export.confirm(ctx, f.node, &r.Attr); err != nil {
			return err
		}
		switch {
		case r.Count > a.Count:
			return fmt.Errorf("READ: %d bytes, of %d that were asked for", r.Count, a.Count)
		case r.Count == 0 && !r.EOF:
			return errors.New("READ: no data, though the end of the file is not reached")
		}
		p, off = p[r.Count:], off+int64(r.Count)
		switch {
		case !r.EOF:
		case r.Attr.Follows && uint64(off) < r.Attr.Value.Size && cuts < maxCuts: // those are from before it was cut: they are not to be taken for true
			cuts++
		default:
			clear(p)
			return nil
		}
	}
	return nil
}

// maxCuts is how often in a row an array is asked again that says of a file that it ends before its end.
const maxCuts = 3

// maxTransfer is the longest transfer that is asked for at once in bytes.
const maxTransfer = 1 << 20

// WriteAt implements cachecore.Array.
func (f *file) WriteAt(context.Context, []byte, int64, cachecore.WriteOptions) error {
	return cachecore.ErrUnsupported
}

// Flush implements cachecore.Array.
func (f *file) Flush(context.Context) error { return cachecore.ErrUnsupported }

// Unmap implements cachecore.Array.
func (f *file) Unmap(context.Context, int64, int64) error { return cachecore.ErrUnsupported }

// reader is on whose behalf the file is read.
func (n *node) reader() nfs.Caller {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.reader
}
