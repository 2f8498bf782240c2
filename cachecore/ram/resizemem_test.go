//go:build linux && !race

package ram

import (
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// resident is what a store has of memory, the index included.
func (s *Store) resident(t *testing.T) (bytes int64) {
	t.Helper()
	const some = 1 << 30
	pages := make([]byte, some/pageSize)
	for mem := s.space.mem; len(mem) > 0; mem = mem[min(some, len(mem)):] {
		p := mem[:min(some, len(mem))]
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
			t.Fatal(errno)
		}
		for _, page := range pages[:len(p)/pageSize] {
			bytes += int64(page&1) * pageSize
		}
	}
	return bytes
}

func TestShrinkGivesMemoryBack(t *testing.T) {
	const blocks, most = 24576, 1 << 20 // 96 MiB of 4 GiB
	s := resizableOf(t, blocks, most)
	for _, part := range []int64{1, 4, 1, 3} {
		if err := s.Resize(t.Context(), blocks*blk/part); err != nil {
			t.Fatal(err)
		}
		bytes := s.Stats().Bytes
		if n := s.resident(t); n > bytes+bytes/50 {
			t.Errorf("%d bytes are resident after a resize to %d", n, bytes)
		}
		for b := range cachecore.Block(2 * blocks) {
			put(s, 1, b, 1)
		}
		if n := s.resident(t); n < bytes || n > bytes+bytes/50 {
			t.Errorf("%d bytes are resident of a store of %d", n, bytes)
		}
	}
	whole(t, s)
}

// What has been given back can't be taken for another's bytes.
func TestMemoryThatWasGivenBackCannotBeRead(t *testing.T) {
	s := resizableOf(t, 64, 64)
	last := s.bytes(63, 1)
	last[0] = 1
	if err := s.Resize(t.Context(), 63*blk); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() == nil {
			t.Error("it was read")
		}
	}()
	t.Log(last[0])
}
