package export

import "forebay/protocols/nfs"

// Beside says that the objects of some exports are the same: they are on one array. What one of them changes the others forget before it is
// answered, so that all clients of a gateway see what was done. It comes before anything is served.
func Beside(list ...*Export) {
	for _, e := range list {
		e.beside = nil
		for _, other := range list {
			if other != e {
				e.beside = append(e.beside, other)
			}
		}
	}
}

// tell has the others forget what they know of an object that was changed here, or may have been.
func (e *Export) tell(h nfs.Handle) {
	for _, other := range e.beside {
		other.table.turns.Add(1) // first: what is being looked up has no node yet
		if n := other.table.find(h); n != nil {
			n.drop()
		}
	}
}

// dropAll forgets all that is known of any object, here and beside.
func (e *Export) dropAll() {
	e.Drop()
	for _, other := range e.beside {
		other.Drop()
	}
}

// end takes in what the array said of a change of ours.
func (e *Export) end(n *node, c change, w *nfs.WccData, reach uint64) {
	n.end(c, w, reach, &e.opts)
	e.tell(n.handle)
}

// abandon is the end of a change of ours of which the array said nothing.
func (e *Export) abandon(n *node, c change) {
	n.abandon(c)
	e.tell(n.handle)
}
