package nfs

import (
	"errors"
	"testing"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// A filer may answer anything: nobody crashes, waits for ever or takes it for what it isn't.
func TestAFilerThatLiesIsNotBelieved(t *testing.T) {
	on := func(which wire.Procedure, f func(r wire.Message, c *rpc.Call) bool) twist {
		return func(p wire.Procedure, r wire.Message, c *rpc.Call) bool { return p == which && f(r, c) }
	}
	for name, c := range map[string]struct {
		p     wire.Procedure
		lie   func(r wire.Message, c *rpc.Call) bool
		wrong error
	}{
		"more read than asked for": {wire.ProcRead, func(r wire.Message, _ *rpc.Call) bool {
			read := r.(*wire.ReadResult)
			read.Count, read.Data = 4000, make([]byte, 4000)
			return false
		}, rpc.ErrProtocol},
		"more written than sent": {wire.ProcWrite, func(r wire.Message, _ *rpc.Call) bool {
			r.(*wire.WriteResult).Count = 4000
			return false
		}, wire.ErrOutcomeUnknown},
		"nothing written of something": {wire.ProcWrite, func(r wire.Message, _ *rpc.Call) bool {
			r.(*wire.WriteResult).Count = 0
			return false
		}, wire.ErrOutcomeUnknown},
		"results cut short": {wire.ProcGetAttr, func(_ wire.Message, c *rpc.Call) bool {
			c.Results.Uint32(0)
			return true
		}, rpc.ErrProtocol},
		"no results of a change": {wire.ProcRemove, func(wire.Message, *rpc.Call) bool { return true }, wire.ErrOutcomeUnknown},
		"a refusal": {wire.ProcRemove, func(_ wire.Message, c *rpc.Call) bool {
			c.Fail(rpc.AuthTooWeak)
			return true
		}, rpc.AuthTooWeak},
		"trouble of its own": {wire.ProcRemove, func(_ wire.Message, c *rpc.Call) bool {
			c.Fail(rpc.SystemErr)
			return true
		}, wire.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, f *Filer, s *san, told *events) {
				h := s.mem.Put("a", make([]byte, 8000))
				args, r := wire.NewMessages(c.p)
				switch a := args.(type) {
				case *wire.HandleArgs:
					a.Object = h
				case *wire.DirOp:
					*a = at(f.Root(), "a")
				case *wire.ReadArgs:
					a.File, a.Count = h, 1000
					r.(*wire.ReadResult).Data = make([]byte, 8000)
				case *wire.WriteArgs:
					a.File, a.Data = h, make([]byte, 1000)
				}
				s.answer(on(c.p, c.lie))
				err := f.Do(t.Context(), &wire.Caller{}, c.p, args, r)
				if !errors.Is(err, c.wrong) || errors.Is(err, wire.ErrAway) {
					t.Errorf("%v", err)
				}
				mustBe(t, "refused is not unknown", errors.Is(c.wrong, rpc.AuthTooWeak) && errors.Is(err, wire.ErrOutcomeUnknown), false)
				s.answer(nil)
				mustBe(t, "events", told.all(), []Event(nil))
				mustBe(t, "then", getAttr(t.Context(), f, f.Root()), nil)
			})
		})
	}
}

func TestAFilerThatReadsByteByByteIsReadToTheEnd(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", []byte("content"))
		s.answer(func(_ wire.Procedure, r wire.Message, _ *rpc.Call) bool {
			if read, ok := r.(*wire.ReadResult); ok && read.Count > 1 {
				read.Count, read.Data, read.EOF = 1, read.Data[:1], false
			}
			return false
		})
		r := user(t, f).Read(h, 0, 100)
		mustBe(t, "what is read", []any{string(r.Data), r.EOF}, []any{"content", true})
	})
}

func TestAWriteThatIsCutShortGoesOn(t *testing.T) {
	story(t, func(t *testing.T, f *Filer, s *san, _ *events) {
		h := s.mem.Put("a", nil)
		s.answer(func(_ wire.Procedure, r wire.Message, _ *rpc.Call) bool {
			if wrote, ok := r.(*wire.WriteResult); ok && wrote.Count > 3 {
				wrote.Count = 3
			} else if ok {
				wrote.Committed = wire.Unstable // the last piece
			}
			return false
		})
		r := user(t, f).Write(h, 0, wire.FileSync, []byte("content"))
		mustBe(t, "the answer", []any{r.Status, r.Count, r.Committed}, []any{wire.OK, uint32(7), wire.Unstable})
		mustBe(t, "content", string(s.mem.Get("a")), "content")
	})
}
