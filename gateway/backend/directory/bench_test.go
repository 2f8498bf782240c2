package directory_test

import (
	"os"
	"testing"

	"forebay/protocols/nfs"
)

// BenchmarkTransfer is of 4 KiB in the page cache: by root, by the owner and by a user whose permission the kernel is asked for.
func BenchmarkTransfer(b *testing.B) {
	path, err := os.MkdirTemp("/dev/shm", "forebay-directory-")
	if err != nil || os.Geteuid() != 0 {
		b.Skip("needs root and memory")
	}
	b.Cleanup(func() { os.RemoveAll(path) })
	must(b, os.Chmod(path, 0o777))
	d := open(b, path)
	do := func(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) {
		if err := d.Do(b.Context(), c, p, a, r); err != nil || *nfs.StatusOf(r) != nfs.OK {
			b.Fatal(err, *nfs.StatusOf(r))
		}
	}
	root, owner, user := &nfs.Caller{}, &nfs.Caller{UID: 1000, GID: 100}, &nfs.Caller{UID: 1001, GID: 100, GIDs: []uint32{5, 6}}
	var made nfs.CreateResult
	where := nfs.DirOp{Dir: d.Root(), Name: "f"}
	do(owner, nfs.ProcCreate, &nfs.CreateArgs{Where: where, Attr: nfs.SetAttr{Mode: nfs.Some[uint32](0o666)}}, &made)
	data := make([]byte, 4096)
	for name, c := range map[string]*nfs.Caller{"root": root, "owner": owner, "user": user} {
		b.Run("write by "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(c, nfs.ProcWrite, &nfs.WriteArgs{File: made.Object.Value, Data: data}, new(nfs.WriteResult))
			}
		})
		b.Run("read by "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(c, nfs.ProcRead, &nfs.ReadArgs{File: made.Object.Value, Count: 4096}, &nfs.ReadResult{Data: data})
			}
		})
	}
}
