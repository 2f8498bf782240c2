package file

import (
	"context"
	"unsafe"
)

const (
	pageSize   = 4096
	bounceSize = 256 << 10
	bounceMax  = 8 // buffers of an array
)

// bouncePool holds the aligned buffers through which unaligned requests go. It makes them when they are first wanted, never more
// than bounceMax: who finds none waits.
type bouncePool struct {
	free   chan []byte
	unmade chan struct{}
}

func newBouncePool() bouncePool {
	p := bouncePool{free: make(chan []byte, bounceMax), unmade: make(chan struct{}, bounceMax)}
	for range bounceMax {
		p.unmade <- struct{}{}
	}
	return p
}

func (p bouncePool) get(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	select {
	case b := <-p.free:
		return b, nil
	case <-p.unmade:
		return alignedBuffer(bounceSize), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p bouncePool) put(b []byte) { p.free <- b }

// alignedBuffer begins at a page's start. Go's collector does not move what it manages.
func alignedBuffer(n int) []byte {
	b := make([]byte, n+pageSize)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (pageSize - 1)
	return b[skip:][:n:n]
}
