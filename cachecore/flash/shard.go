package flash

import "sync"

// shard is a part of the index: the pieces of some extents, their marks, and what was lately missed there. All of an extent is in one shard,
// so that a block's state and its extent's mark change together. mu guards all of it and is held for index work only.
//
// Its pieces lie in chunks of the arena in the order in which their regions were begun, so that the oldest region's are at the tail.
type shard struct {
	mu      sync.Mutex
	arena   *arena
	seed    uint64
	buckets []uint32 // first piece of each; 0: none, as pieces don't begin at word 0
	marks   map[extent]mark
	ghost   ghost

	head, tail place // where the next piece goes, and the oldest one
	valid      int64 // blocks

	_ [64]byte // the next shard's mutex is on another cache line
}

// place is a word of a chunk, whose first word names the next chunk. Pieces begin at word 1.
type place struct{ chunk, at uint32 }

func (sh *shard) init(a *arena, seed uint64, buckets, ghosts int) {
	sh.arena, sh.seed = a, seed
	sh.head, sh.tail = place{chunk: none}, place{chunk: none}
	sh.marks = make(map[extent]mark)
	sh.ghost = newGhost(ghosts)
	sh.buckets = make([]uint32, max(1, buckets))
}

func (sh *shard) piece(id uint32) piece {
	words := sh.arena.from(id)
	n := wordsOf(piece(words).written())
	return piece(words[:n:n])
}

// append makes room for a piece at the head; false: the arena has none. The piece is in no bucket yet.
func (sh *shard) append(object, line, block uint32, written blocks) (uint32, bool) {
	n := wordsOf(written)
	if sh.head.chunk == none || sh.head.at+n > sh.arena.chunkWords() {
		if !sh.extend() {
			return none, false
		}
	}
	id := sh.head.chunk + sh.head.at
	sh.head.at += n
	p := piece(sh.arena.from(id)[:n])
	p[atObject], p[atLine], p[atBlock], p[atNext] = object, line, block, 0
	p[atState] = uint32(written) << writtenShift
	return id, true
}

// extend begins a new chunk. A word none ends the pieces of the old one, where it isn't full.
func (sh *shard) extend() bool {
	chunk := sh.arena.take()
	if chunk == none {
		return false
	}
	if sh.head.chunk == none {
		sh.tail = place{chunk, 1}
	} else {
		old := sh.arena.from(sh.head.chunk)[:sh.arena.chunkWords()]
		old[0] = chunk
		if int(sh.head.at) < len(old) {
			old[sh.head.at] = none
		}
	}
	sh.head = place{chunk, 1}
	return true
}

// settle moves a place over the end of its chunk to the piece behind it; false: it is the head.
func (sh *shard) settle(p *place) bool {
	for *p != sh.head {
		words := sh.arena.from(p.chunk)[:sh.arena.chunkWords()]
		if int(p.at) < len(words) && words[p.at] != none {
			return true
		}
		*p = place{words[0], 1}
	}
	return false
}

// oldest is the piece at the tail, if there is one.
func (sh *shard) oldest() (uint32, bool) {
	old := sh.tail.chunk
	for sh.tail != sh.head {
		before := sh.tail
		more := sh.settle(&sh.tail)
		for c := before.chunk; c != sh.tail.chunk; {
			next := sh.arena.from(c)[0]
			sh.arena.give(c)
			c = next
		}
		if more {
			return sh.tail.chunk + sh.tail.at, true
		}
	}
	if old != none {
		sh.head.at = 1 // of the only chunk that is left
		sh.tail = sh.head
	}
	return none, false
}

// pop takes the piece at the tail away; oldest has returned it.
func (sh *shard) pop(p piece) {
	if p.is(linked) {
		sh.unlink(p, sh.tail.chunk+sh.tail.at)
	}
	sh.tail.at += uint32(len(p))
}
