package nfs

import (
	"fmt"
	"net"
	"testing"

	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/nfstest"
)

// The filer's own cost, over the loopback to a server that is in this process too.
func BenchmarkFile(b *testing.B) {
	mem := nfstest.New(nfstest.Options{})
	mem.Put("a", make([]byte, 1<<20))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	serve(b, l, program{fs: mem}, mount.NewServer(program{fs: mem}))
	at := l.Addr().(*net.TCPAddr).Port
	f, err := Open(b.Context(), Options{Server: "127.0.0.1", Export: "/exp", Port: at, MountPort: at})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	a, err := OpenFile(b.Context(), f, FileOptions{Path: "a", BlockSize: 512})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	for _, size := range []int{4 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("read %d KiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				p := make([]byte, size)
				for pb.Next() {
					if err := a.ReadAt(b.Context(), p, 0); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
