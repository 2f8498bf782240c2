package rpc

// Releaser takes back what a read has pinned (an alias, so that caches need not import this package to speak of it).
type Releaser = interface{ Release(token uint64) }

// Data is what follows the results of a reply, as the data of a READ does: pieces that stay valid until they have been sent. Its zero
// value is empty; it is reused to stay off the heap.
type Data struct {
	pieces [][]byte
	pins   []pin
	n      int
}

type pin struct {
	owner Releaser
	token uint64
}

// Add appends p. owner, if not nil, is told once when p is no longer needed.
func (d *Data) Add(p []byte, owner Releaser, token uint64) {
	if len(p) > 0 {
		d.pieces = append(d.pieces, p)
		d.n += len(p)
	}
	if owner != nil {
		d.pins = append(d.pins, pin{owner, token})
	}
}

// Len is the number of bytes.
func (d *Data) Len() int { return d.n }

// Release gives all pieces back and empties d.
func (d *Data) Release() {
	for i := range d.pins {
		d.pins[i].owner.Release(d.pins[i].token)
		d.pins[i] = pin{}
	}
	clear(d.pieces)
	d.pieces, d.pins, d.n = d.pieces[:0], d.pins[:0], 0
}
