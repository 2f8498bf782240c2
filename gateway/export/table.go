package export

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"forebay/protocols/nfs"
)

// table has the nodes by their handles. It forgets those that have not been used for longest, roughly, when there are too many.
type table struct {
	seed   maphash.Seed
	shards [16]shard
	most   int           // of a shard
	turns  atomic.Uint64 // how often something may have been forgotten of an object that has no node now
	names  nameBudget
	retire func(*node) // ends a node that was put away
}

// namesPerNode is how many names are remembered for each object that may be known.
const namesPerNode = 4

type shard struct {
	mu    sync.Mutex
	nodes map[string]*node
	line  []*node // of all nodes, and those that were put away: where hand points is looked at next
	hand  int
}

func newTable(most int, retire func(*node)) *table {
	t := &table{seed: maphash.MakeSeed(), most: max(most/len(table{}.shards), 1), retire: retire}
	t.names.most = namesPerNode * int64(most)
	for i := range t.shards {
		t.shards[i].nodes = map[string]*node{}
	}
	return t
}

func (t *table) of(h nfs.Handle) *shard {
	return &t.shards[maphash.Bytes(t.seed, h)%uint64(len(t.shards))]
}

// find returns a node, or nil. It may be put away at any time: what is found out by it was true when it was looked for.
func (t *table) find(h nfs.Handle) *node {
	s := t.of(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[string(h)]
	if n != nil {
		n.used = true
	}
	return n
}

// use returns a node that stays until it is let go, a new one if need be.
func (t *table) use(h nfs.Handle) *node {
	s := t.of(h)
	s.mu.Lock()
	n := s.nodes[string(h)]
	var old *node
	if n == nil {
		n = newNode(h, t.turns.Load())
		n.mu.names.of = &t.names
		if old = s.enter(n, t.most); old != nil {
			t.turns.Add(1)
		}
	}
	n.used = true
	n.users++
	s.mu.Unlock()
	if old != nil {
		t.retire(old)
	}
	return n
}

// enter adds a node, in place of one that nobody uses if there are too many, which it returns.
func (s *shard) enter(n *node, most int) (old *node) {
	s.nodes[string(n.handle)] = n
	if len(s.line) < most {
		s.line = append(s.line, n)
		return nil
	}
	for range 2 * len(s.line) {
		s.hand = (s.hand + 1) % len(s.line)
		switch x := s.line[s.hand]; {
		case x.users > 0:
		case x.used:
			x.used = false
		default:
			delete(s.nodes, string(x.handle))
			s.line[s.hand] = n
			return x
		}
	}
	s.line = append(s.line, n) // all are in use: these are as many as calls may be under way
	return nil
}

// letGo ends a use.
func (t *table) letGo(n *node) {
	s := t.of(n.handle)
	s.mu.Lock()
	defer s.mu.Unlock()
	n.users--
}

// all lists the nodes.
func (t *table) all() []*node {
	var list []*node
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, n := range s.nodes {
			list = append(list, n)
		}
		s.mu.Unlock()
	}
	return list
}

// close ends the volumes of all files.
func (t *table) close(ctx context.Context) error {
	for _, n := range t.all() {
		if v, _ := n.close(); v != nil {
			if err := v.Close(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// hold is a use of a node that is in use, or was found a moment ago: it may have been put away since, which does no harm.
func (t *table) hold(n *node) {
	s := t.of(n.handle)
	s.mu.Lock()
	defer s.mu.Unlock()
	n.users++
}

// keep is a use of a node that was listed, unless it has been put away since. It makes it look no younger.
func (t *table) keep(n *node) bool {
	s := t.of(n.handle)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[string(n.handle)] != n {
		return false
	}
	n.users++
	return true
}
