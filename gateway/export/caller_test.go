package export

import (
	"context"
	"reflect"
	"sync"
	"testing"

	"forebay/protocols/nfs"
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
			h, dir := r.mem.Put("a", of('a', 100)), r.mem.Root()
			r.mem.Put("d/x", nil)
			where := nfs.DirOp{Dir: dir, Name: "new"}
			a, result := nfs.NewMessages(p)
			switch a := a.(type) {
			case *nfs.HandleArgs:
				a.Object = h
			case *nfs.SetAttrArgs:
				*a = nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some[uint64](7)}}
			case *nfs.DirOp:
				*a = nfs.DirOp{Dir: dir, Name: "a"}
			case *nfs.AccessArgs:
				*a = nfs.AccessArgs{Object: h, Access: nfs.AccessRead}
			case *nfs.ReadArgs:
				*a = nfs.ReadArgs{File: h, Count: 100}
				result.(*nfs.ReadResult).Data = make([]byte, 100)
			case *nfs.WriteArgs:
				*a = nfs.WriteArgs{File: h, Data: of('b', 50)}
			case *nfs.CreateArgs:
				a.Where = where
			case *nfs.MkdirArgs:
				a.Where = where
			case *nfs.SymlinkArgs:
				a.Where, a.Path = where, "to"
			case *nfs.MknodArgs:
				a.Where, a.Type = where, nfs.FIFO
			case *nfs.RenameArgs:
				*a = nfs.RenameArgs{From: nfs.DirOp{Dir: dir, Name: "a"}, To: nfs.DirOp{Dir: dir, Name: "d"}}
			case *nfs.LinkArgs:
				*a = nfs.LinkArgs{File: h, Link: where}
			case *nfs.ReadDirArgs:
				*a = nfs.ReadDirArgs{Dir: dir, Count: 4096}
			case *nfs.ReadDirPlusArgs:
				*a = nfs.ReadDirPlusArgs{Dir: dir, DirCount: 4096, MaxCount: 4096}
			case *nfs.CommitArgs:
				a.File = h
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
