package rpc

// Buffers is memory for long records. Get returns n bytes, or nil when there are none, in which case the heap serves; Put takes back what
// Get gave, or a slice of it that begins where it began. Many goroutines use it.
type Buffers interface {
	Get(n int) []byte
	Put(p []byte)
}

// heap is the Buffers of those who have none, or none left.
type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

// memory holds a long record. Its zero value holds nothing.
type memory struct {
	bytes []byte
	from  Buffers
}

func takeMemory(from Buffers, n int) memory {
	if p := from.Get(n); p != nil {
		return memory{p[:n], from}
	}
	return memory{heap{}.Get(n), heap{}}
}

func (m memory) release() {
	if m.from != nil {
		m.from.Put(m.bytes)
	}
}
