package server

import (
	"context"
	"sync/atomic"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// life is what one process keeps, until it is killed.
type life struct {
	Requests
	over atomic.Bool
	look func(Record) // at what is about to be kept; may be nil
}

func (l *life) Keep(ctx context.Context, r Record) {
	if l.over.Load() {
		return
	}
	if l.look != nil {
		l.look(r)
	}
	l.Requests.Keep(ctx, r)
}

// lives are servers of one file system, one after the other, each of which knows what the last one had kept.
type lives struct {
	*rig
	kept *MemRequests
	last *life
}

func newLives(t *testing.T) *lives {
	l := &lives{kept: new(MemRequests)}
	l.last = &life{Requests: l.kept}
	l.rig = newRig(t, nfstest.Options{}, func(_ *rig, o *Options) { o.Requests = l.last })
	return l
}

// kill ends a process, whatever it is doing, and starts the next one.
func (l *lives) kill() {
	l.t.Helper()
	l.last.over.Store(true)
	l.last = &life{Requests: l.kept}
	s, err := New(Options{Exports: []*Export{l.export}, Key: [32]byte{1, 2, 3}, LongHandles: new(MemLongHandles), Now: l.clock.Now, Requests: l.last})
	if err != nil {
		l.t.Fatal(err)
	}
	l.server = s
	l.address = listen(l.t, s)
}

// ask calls a procedure from an address, under an XID, and returns the encoded result.
func (l *lives) ask(from string, xid uint32, p nfs.Procedure, a nfs.Message) []byte {
	l.t.Helper()
	c := l.raw(from)
	c.send(xid, 0, p, a)
	_, answer := c.reply()
	return answer
}

// result is that of a procedure that is called.
func (l *lives) result(from string, xid uint32, p nfs.Procedure, a nfs.Message) nfs.Message {
	l.t.Helper()
	_, r := nfs.NewMessages(p)
	if err := decodeResult(l.ask(from, xid, p, a), r); err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (l *lives) status(from string, xid uint32, p nfs.Procedure, a nfs.Message) nfs.Status {
	l.t.Helper()
	return *nfs.StatusOf(l.result(from, xid, p, a))
}

// killedIn has a call reach a stage, and kills the process then.
func (l *lives) killedIn(at nfstest.Stage, xid uint32, p nfs.Procedure, a nfs.Message) {
	l.t.Helper()
	trap := l.mem.Hold(at, first(nfstest.Only(p)))
	l.t.Cleanup(trap.Release)
	l.raw(here).send(xid, 0, p, a)
	<-trap.Caught
	l.kill()
}

const (
	here  = "127.0.0.1"
	there = "127.0.0.2"
)

// first means the first one of those.
func first(which nfstest.Which) nfstest.Which {
	var caught atomic.Bool
	return func(p nfs.Procedure, a nfs.Message) bool { return which(p, a) && !caught.Swap(true) }
}
