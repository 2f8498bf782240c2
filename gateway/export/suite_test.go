package export

import (
	"testing"

	"forebay/protocols/nfs/nfstest"
)

func TestAnExportIsAFileSystem(t *testing.T) {
	for name, change := range map[string]func(*Options){"that remembers": func(*Options) {}, "that does not": without} {
		t.Run(name, func(t *testing.T) {
			nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
				r := newRig(t, change)
				return nfstest.Place{FS: client{r.export}, Dir: r.mem.Root()}
			})
		})
	}
}
