package staged

import (
	"testing"

	"forebay/cachecore/writeback"
	"forebay/protocols/nfs/nfstest"
)

func TestAFileSystemWithALogIsAFileSystem(t *testing.T) {
	for name, change := range map[string]func(*Options, *writeback.Options){"carried when somebody waits": slow, "carried at once": fast,
		"in memory": func(o *Options, w *writeback.Options) { o.Durable, w.Durable = false, false }} {
		t.Run(name, func(t *testing.T) {
			nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
				r := newRig(t, change)
				return nfstest.Place{FS: r.FileSystem, Dir: r.mem.Root()}
			})
		})
	}
	t.Run("through", func(t *testing.T) {
		nfstest.TestFileSystem(t, func(t *testing.T) nfstest.Place {
			r := newRig(t)
			r.kill()
			r.mode = writeback.Through
			r.start()
			return nfstest.Place{FS: r.FileSystem, Dir: r.mem.Root()}
		})
	})
}
