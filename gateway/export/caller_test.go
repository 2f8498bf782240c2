package export

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// callers notes on whose behalf a file system was asked.
type callers struct {
	nfs.FileSystem
	mu   sync.Mutex
	seen []nfs.Caller
}

func (f *callers) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	f.mu.Lock()
	f.seen = append(f.seen, *c)
	f.mu.Unlock()
	return f.FileSystem.Do(ctx, c, p, a, r)
}

// Whatever the array has to be asked for a call, it is asked as the caller.
func TestTheArrayIsAskedOnBehalfOfTheCaller(t *testing.T) {
	for p := nfs.ProcGetAttr; p < nfs.Procedures; p++ {
		t.Run(p.String(), func(t *testing.T) {
			var behind *callers
			r := newRig(t, func(o *Options) {
				behind = &callers{FileSystem: o.Files}
				o.Files = behind
			})
			f := r.mem.Put("f", of('a', 100))
			r.mem.Put("d/x", nil)
			a := nfstest.Sample(p, r.mem.Root(), f)
			_, result := nfs.NewMessages(p)
			if read, ok := result.(*nfs.ReadResult); ok {
				read.Data = make([]byte, 100)
			}
			caller := nfs.Caller{UID: 1000, GID: 100, GIDs: []uint32{5, 6}}
			if err := (client{r.export}).Do(t.Context(), &caller, p, a, result); err != nil {
				t.Fatal(err)
			}
			if len(behind.seen) == 0 {
				t.Error("the array isn't asked")
			}
			for _, c := range behind.seen {
				if !reflect.DeepEqual(c, caller) {
					t.Errorf("it is asked as %+v", c)
				}
			}
		})
	}
}
