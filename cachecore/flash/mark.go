package flash

import "forebay/cachecore"

// extent is 4 MiB of an object, aligned, or the whole object. It is named by the object's key: numbers don't outlive the process.
type extent struct {
	key Key
	n   uint32
}

const wholeObject = none // more than an extent's number can be

// mark says that after an unclean end nothing counts that an extent has in regions below one (PROTOCOL G3). It is durable when its ticket
// is; until then whoever writes to the extent waits.
//
// A region's footer is composed late, and what is invalid by then isn't in it. So a mark needs to reach over the composed regions only, and
// what is cached anew afterwards is above the mark and outlives a crash.
type mark struct {
	below  seq
	ticket uint64
}

// lineOf splits a block's number; false: it has no line, and is never cached.
func lineOf(b cachecore.Block) (line uint32, i int, ok bool) {
	n := uint64(b) / lineBlocks
	return uint32(n), int(uint64(b) % lineBlocks), n < uint64(none)
}

func extentOf(line uint32) uint32 { return line / extentLines }
