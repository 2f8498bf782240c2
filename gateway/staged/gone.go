package staged

import "forebay/protocols/nfs"

// gone are the files that were forgotten last, each with its turn. What the filer was asked before that may lack what has been carried to it since, and nobody
// else knows of that any more.
type gone struct {
	turns  map[string]uint64 // by handle
	order  []string
	before uint64 // any file may have been forgotten until then
}

// remembered is how many are: more are not forgotten while a call is under way, or it is made again.
const remembered = 1024

func (g *gone) add(h nfs.Handle, turn uint64) {
	if g.turns == nil {
		g.turns = map[string]uint64{}
	}
	if _, again := g.turns[string(h)]; !again {
		g.order = append(g.order, string(h))
	}
	g.turns[string(h)] = turn
	if len(g.order) > remembered {
		g.before = max(g.before, g.turns[g.order[0]])
		delete(g.turns, g.order[0])
		g.order = g.order[1:]
	}
}

// has says whether a file may have been forgotten since a turn.
func (g *gone) has(h nfs.Handle, since uint64) bool {
	return max(g.turns[string(h)], g.before) > since
}
