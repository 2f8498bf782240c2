package nfsmodel

import (
	"math"
	"strings"
	"sync"
	"testing"

	"forebay/protocols/nfs"
)

func TestLiesAmongManyAtATimeAreFound(t *testing.T) {
	for _, lie := range []struct {
		name, say string
		lie       func(l *liar) lie
	}{
		{"a stale read", "has hidden", staleShared},
		{"a lost write", "has hidden", lostShared},
		{"bytes of another place", "", after(40, func(r *nfs.ReadResult) {
			if len(r.Data) > unitSize && r.Data[3] != 0 {
				copy(r.Data, r.Data[unitSize:])
			}
		})},
		{"two winners", "2 won", twoWinners},
		{"a size that shrinks", "size", after(40, func(r *nfs.GetAttrResult) {
			if r.Attr.Size >= units*unitSize {
				r.Attr.Size = 4096
			}
		})},
		{"a name listed twice while others come and go", "listing during races", twiceInARace},
	} {
		t.Run(lie.name, func(t *testing.T) {
			l := newLiar()
			l.tell(lie.lie(l))
			c := open(t, serve(t, l))
			err := c.RunConcurrent(t.Context(), 4000)
			if err == nil || !strings.Contains(err.Error(), lie.say) {
				t.Fatalf("%v, want an error that says %q", err, lie.say)
			}
			t.Log(err)
		})
	}
}

// isShared says whether an offset and a length are those of accesses to shared files, and not those of the model's.
func isShared(off uint64, n int) bool { return off%unitSize == 0 && n%unitSize == 0 && n > unitSize }

// staleShared answers reads of whole units, now and then, with what was there some reads before.
func staleShared(l *liar) lie {
	var mu sync.Mutex
	old := make(map[string]map[uint64][]byte)
	return func(c *call, truth func() error) error {
		err := truth()
		r, ok := c.result.(*nfs.ReadResult)
		a, _ := c.args.(*nfs.ReadArgs)
		if !ok || err != nil || r.Status != nfs.OK || !isShared(a.Offset, len(r.Data)) || r.Data[3] == 0 {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if old[string(a.File)] == nil {
			old[string(a.File)] = make(map[uint64][]byte)
		}
		for i := 0; i < len(r.Data); i += unitSize {
			at, unit := a.Offset+uint64(i), r.Data[i:i+unitSize]
			if p := old[string(a.File)][at]; p != nil {
				copy(unit, p)
			} else {
				old[string(a.File)][at] = append([]byte(nil), unit...)
			}
		}
		return nil
	}
}

// lostShared loses one of many writes of whole units.
func lostShared(l *liar) lie {
	return func(c *call, truth func() error) error {
		a, ok := c.args.(*nfs.WriteArgs)
		if !ok || !isShared(a.Offset, len(a.Data)) || a.Data[3] < 40 || !l.every(9) {
			return truth()
		}
		r := nfs.ReadResult{Data: make([]byte, len(a.Data))}
		if err := l.root(nfs.ProcRead, &nfs.ReadArgs{File: a.File, Offset: a.Offset, Count: uint32(len(a.Data))}, &r); err != nil {
			return err
		}
		data := make([]byte, len(a.Data))
		copy(data, r.Data)
		a.Data = data
		return truth()
	}
}

// twoWinners says to everybody that they have made the name.
func twoWinners(*liar) lie {
	return func(c *call, truth func() error) error {
		err := truth()
		a, ok := c.args.(*nfs.MkdirArgs)
		if r, _ := c.result.(*nfs.CreateResult); ok && err == nil && strings.HasPrefix(a.Where.Name, "race-") && r.Status == nfs.ErrExist {
			r.Status = nfs.OK
		}
		return err
	}
}

// twiceInARace lists a name twice, where races are.
func twiceInARace(l *liar) lie {
	races := make(map[string]bool)
	return func(c *call, truth func() error) error {
		err := truth()
		l.mu.Lock()
		defer l.mu.Unlock()
		if a, ok := c.args.(*nfs.MkdirArgs); ok && strings.HasPrefix(a.Where.Name, "race-") {
			races[string(a.Where.Dir)] = true
		}
		if a, ok := c.args.(*nfs.ReadDirArgs); ok && err == nil && races[string(a.Dir)] && a.Cookie == 0 {
			r := c.result.(*nfs.ReadDirResult)
			r.Entries[len(r.Entries)-2].Name = r.Entries[len(r.Entries)-1].Name
		}
		return err
	}
}

func TestAVersionIsHiddenByOneThatCameAfterIt(t *testing.T) {
	f := newSharedFile(newDirectory(), 0)
	full := func(how nfs.Stable) *nfs.WriteResult { return &nfs.WriteResult{Committed: how} }
	first, p1 := f.startWrite(0, 1)
	second, p2 := f.startWrite(0, 1) // at the same time
	f.endWrite(first, 0, 1, full(nfs.FileSync), false)
	f.endWrite(second, 0, 1, full(nfs.FileSync), false)
	sent, _ := f.startRead()
	for _, p := range [][]byte{p1, p2} {
		if err := f.check(sent, 0, p, true); err != nil {
			t.Errorf("either of two writes at the same time may be there: %v", err)
		}
	}
	third, p3 := f.startWrite(0, 1)
	if err := f.check(sent, 0, p1, true); err != nil {
		t.Errorf("while it is being overwritten: %v", err)
	}
	later, _ := f.startRead()
	if err := f.check(later, 0, p3, true); err != nil {
		t.Errorf("a write under way may be seen: %v", err)
	}
	third.resent = false
	last, _ := f.startRead()
	if err := f.check(last, 0, p1, true); err == nil {
		t.Error("what was there before a write that was seen may be seen again")
	}
	f.endWrite(third, 0, 1, full(nfs.FileSync), false)
	if third.last(0) == math.MaxUint64 || f.check(last, 0, make([]byte, unitSize), true) == nil {
		t.Error("the beginning may be seen again")
	}
}

func TestWhatIsLostHidesNothing(t *testing.T) {
	f := newSharedFile(newDirectory(), 0)
	stable, p1 := f.startWrite(0, 1)
	f.endWrite(stable, 0, 1, &nfs.WriteResult{Committed: nfs.FileSync}, false)
	loose, _ := f.startWrite(0, 1)
	f.endWrite(loose, 0, 1, &nfs.WriteResult{Verifier: nfs.Verifier{1}}, false)
	sent, _ := f.startRead()
	if f.check(sent, 0, p1, true) == nil {
		t.Error("what was there before may be seen while nothing was lost")
	}
	if f.committed(sent, nfs.Verifier{2}); f.lost() != 1 || f.check(sent, 0, p1, true) != nil {
		t.Error("what was there before may not be seen although what hid it was lost")
	}
}
