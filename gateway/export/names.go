package export

import (
	"strings"

	"forebay/protocols/nfs"
)

// maxNames is how many names of a directory are remembered; then all are forgotten.
const maxNames = 4096

// names are those of a directory that are known to be there, with their handles. They are guarded by its node's mu.
type names map[string]nfs.Handle

// enter remembers a name.
func (n *names) enter(name string, h nfs.Handle) {
	if !rememberable(name) {
		return
	}
	if len(*n) >= maxNames {
		*n = nil
	}
	if *n == nil {
		*n = names{}
	}
	(*n)[name] = h
}

// rememberable says whether a name may be remembered. Lock files are how hosts see each other; dot and dot-dot are other names for what has one.
func rememberable(name string) bool {
	return name != "." && name != ".." && !strings.HasPrefix(name, ".lck")
}
