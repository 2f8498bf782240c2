package ram

// buddy splits memory into pieces of 2^order pages. Pieces of one order are in a list through next and prev, by their first page. It has
// no lock of its own.
type buddy struct {
	heads      [orders]uint32
	next, prev []uint32
	state      []uint8 // by first page: order of a taken piece, order|isFree of a free one; unset: inside a piece
	freePages  int
}

const (
	orders = 11 // 4 KiB to 4 MiB, the longest transfer
	isFree = 0x80
	unset  = 0x7f
)

func newBuddy(pages int) *buddy {
	b := &buddy{next: make([]uint32, pages), prev: make([]uint32, pages), state: make([]uint8, pages)}
	for i := range b.heads {
		b.heads[i] = none
	}
	for i := range b.state {
		b.state[i] = unset
	}
	for at := 0; at < pages; {
		order := orders - 1
		for at&(1<<order-1) != 0 || at+1<<order > pages {
			order--
		}
		b.push(uint32(at), order)
		b.freePages += 1 << order
		at += 1 << order
	}
	return b
}

// orderOf is the smallest order that holds n bytes; orders or more: too large.
func orderOf(n int) int {
	order := 0
	for order < orders && n > pageSize<<order {
		order++
	}
	return order
}

// take returns the first page of a piece of that order.
func (b *buddy) take(order int) (uint32, bool) {
	from := order
	for from < orders && b.heads[from] == none {
		from++
	}
	if from >= orders {
		return 0, false
	}
	at := b.heads[from]
	b.pull(at, from)
	for from > order {
		from--
		b.push(at+1<<from, from)
	}
	b.state[at] = uint8(order)
	b.freePages -= 1 << order
	return at, true
}

// give takes a piece back and joins it with its free buddies.
func (b *buddy) give(at uint32) {
	order := int(b.state[at])
	b.freePages += 1 << order
	b.state[at] = unset
	for order < orders-1 {
		other := at ^ 1<<order
		if int(other) >= len(b.state) || b.state[other] != uint8(order)|isFree {
			break
		}
		b.pull(other, order)
		at = min(at, other)
		order++
	}
	b.push(at, order)
}

// taken says whether a taken piece begins at that page.
func (b *buddy) taken(at uint32) bool { return int(at) < len(b.state) && b.state[at] < orders }

func (b *buddy) push(at uint32, order int) {
	head := b.heads[order]
	b.next[at], b.prev[at] = head, none
	if head != none {
		b.prev[head] = at
	}
	b.heads[order] = at
	b.state[at] = uint8(order) | isFree
}

func (b *buddy) pull(at uint32, order int) {
	next, prev := b.next[at], b.prev[at]
	if next != none {
		b.prev[next] = prev
	}
	if prev != none {
		b.next[prev] = next
	} else {
		b.heads[order] = next
	}
	b.state[at] = unset
}
