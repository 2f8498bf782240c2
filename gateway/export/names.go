package export

import (
	"bytes"

	"strings"
	"sync/atomic"

	"forebay/protocols/nfs"
)

// maxNames is how many names of a directory are remembered; then all of it are forgotten.
const maxNames = 4096

// names are those of a directory that are known to be there, with their handles. They are guarded by its node's mu.
type names struct {
	list map[string]nfs.Handle
	of   *nameBudget
}

// nameBudget bounds the names of all directories of an export. A name is of use while the object behind it is known, so there need not be many more.
type nameBudget struct {
	used atomic.Int64
	most int64
}

func (n *names) get(name string) nfs.Handle { return n.list[name] }

// enter remembers a name. If there are too many, those of this directory give way; directories that nobody uses are put away with theirs.
func (n *names) enter(name string, h nfs.Handle) {
	if !rememberable(name) {
		return
	}
	n.remove(name)
	if len(n.list) >= maxNames {
		n.clear()
	}
	if n.of.used.Add(1) > n.of.most {
		n.of.used.Add(-1)
		n.clear()
		return
	}
	if n.list == nil {
		n.list = map[string]nfs.Handle{}
	}
	n.list[name] = bytes.Clone(h) // the caller may use its memory for something else
}

func (n *names) remove(name string) {
	if _, known := n.list[name]; known {
		delete(n.list, name)
		n.of.used.Add(-1)
	}
}

func (n *names) clear() {
	n.of.used.Add(-int64(len(n.list)))
	n.list = nil
}

// rememberable says whether a name may be remembered. Lock files are how hosts see each other; dot and dot-dot are other names for what has one.
func rememberable(name string) bool {
	return name != "." && name != ".." && !strings.HasPrefix(name, ".lck")
}
