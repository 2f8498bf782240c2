package directory_test

import (
	"bytes"
	"reflect"
	"slices"

	"pgregory.net/rapid"

	"forebay/protocols/nfs"
)

// twins are a folder and the model, which do the same. Objects are known by their number, and have a handle in each.
type twins struct {
	fs      [2]nfs.FileSystem
	objects []twin
	creates int
}

type twin [2]nfs.Handle

// handles are those of one of the twins.
type handles func(object int) nfs.Handle

var users = []nfs.Caller{{}, {UID: 1000, GID: 100}, {UID: 1001, GID: 200, GIDs: []uint32{100, 7}}, {UID: 1002, GID: 200}}

func (w *twins) user(t *rapid.T) *nfs.Caller {
	return &users[rapid.IntRange(0, len(users)-1).Draw(t, "user")]
}
func (w *twins) object(t *rapid.T) int { return rapid.IntRange(0, len(w.objects)-1).Draw(t, "object") }

func name(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name") }

func mode(t *rapid.T) uint32 {
	return rapid.SampledFrom([]uint32{0o777, 0o755, 0o750, 0o700, 0o666, 0o640, 0o620, 0o1777, 0}).Draw(t, "mode")
}

// do executes a procedure with both, compares the results and returns them.
func (w *twins) do(t *rapid.T, c *nfs.Caller, p nfs.Procedure, args func(handles) nfs.Message) [2]nfs.Message {
	t.Helper()
	var results, plain [2]nfs.Message
	for i := range w.fs {
		_, results[i] = nfs.NewMessages(p)
		_, plain[i] = nfs.NewMessages(p)
		if r, is := results[i].(*nfs.ReadResult); is {
			r.Data = make([]byte, 1<<16)
		}
		a := args(func(object int) nfs.Handle { return w.objects[object][i] })
		if err := w.fs[i].Do(t.Context(), c, p, a, results[i]); err != nil {
			t.Fatal(err)
		}
		reflect.ValueOf(plain[i]).Elem().Set(reflect.ValueOf(results[i]).Elem())
		simplify(reflect.ValueOf(plain[i]).Elem())
	}
	got, want := *nfs.StatusOf(results[0]), *nfs.StatusOf(results[1])
	if slices.Contains(eitherFirst[p], got) && slices.Contains(eitherFirst[p], want) {
		return results
	}
	if got != want || got == nfs.OK && !reflect.DeepEqual(plain[0], plain[1]) {
		t.Fatalf("%v by %d, %+v:\nthe folder: %v, %+v\nthe model:  %v, %+v", p, c.UID, args(func(object int) nfs.Handle { return nfs.Handle{byte(object)} }), got, plain[0], want, plain[1])
	}
	return results
}

// eitherFirst are failures of which several may apply to a call; which of them is told isn't promised.
var eitherFirst = map[nfs.Procedure][]nfs.Status{
	nfs.ProcRename:  {nfs.ErrNoEnt, nfs.ErrAcces, nfs.ErrNotDir, nfs.ErrStale, nfs.ErrNotEmpty, nfs.ErrIsDir, nfs.ErrInval},
	nfs.ProcRemove:  {nfs.ErrNoEnt, nfs.ErrAcces},
	nfs.ProcRmdir:   {nfs.ErrNoEnt, nfs.ErrAcces},
	nfs.ProcSetAttr: {nfs.ErrPerm, nfs.ErrAcces},
	nfs.ProcCreate:  {nfs.ErrExist, nfs.ErrAcces},
	nfs.ProcMkdir:   {nfs.ErrExist, nfs.ErrAcces},
	nfs.ProcSymlink: {nfs.ErrExist, nfs.ErrAcces},
	nfs.ProcMknod:   {nfs.ErrExist, nfs.ErrAcces},
}

// simplify takes out of a result what is each file system's own.
func simplify(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *nfs.Attr:
		if x.Type != nfs.Regular {
			x.Size = 0
		}
		*x = nfs.Attr{Type: x.Type, Mode: x.Mode, Nlink: x.Nlink, UID: x.UID, GID: x.GID, Size: x.Size, Rdev: x.Rdev}
	case *nfs.WccAttr:
		*x = nfs.WccAttr{}
	case *nfs.Handle:
		*x = nil
	case *nfs.Verifier:
		*x = nfs.Verifier{}
	default:
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				simplify(v.Field(i))
			}
		}
	}
}

// keep remembers the object that two results name, unless it is known; then both must know it.
func (w *twins) keep(t *rapid.T, folder, memory nfs.Handle) {
	t.Helper()
	for i, o := range w.objects {
		if same := bytes.Equal(o[0], folder); same != bytes.Equal(o[1], memory) {
			t.Fatalf("%x is object %d of one only", folder, i)
		} else if same {
			return
		}
	}
	w.objects = append(w.objects, twin{folder, memory})
}
