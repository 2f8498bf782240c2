package nfs

import (
	"math/bits"
	"sync"
)

// buffers is memory for the replies of READs, from which it is copied to where it belongs. Pieces are powers of two; what nobody uses is the
// garbage collector's.
type buffers struct{ classes [maxClass + 1]sync.Pool }

const maxClass = 21 // 2 MiB: the longest record

func class(n int) int { return bits.Len(uint(max(n, 1) - 1)) }

// Get implements rpc.Buffers.
func (b *buffers) Get(n int) []byte {
	c := class(n)
	if c > maxClass {
		return nil
	}
	if p, ok := b.classes[c].Get().(*[]byte); ok {
		return (*p)[:n]
	}
	return make([]byte, n, 1<<c)
}

// Put implements rpc.Buffers.
func (b *buffers) Put(p []byte) {
	p = p[:cap(p)]
	if c := class(len(p)); c <= maxClass && len(p) == 1<<c {
		b.classes[c].Put(&p)
	}
}
