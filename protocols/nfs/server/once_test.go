package server

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

var nonIdempotent = []nfs.Procedure{nfs.ProcSetAttr, nfs.ProcCreate, nfs.ProcMkdir, nfs.ProcSymlink, nfs.ProcMknod, nfs.ProcRemove,
	nfs.ProcRmdir, nfs.ProcRename, nfs.ProcLink}

// A client that has lost its connection before the reply came asks again, over another one.
func TestACallThatComesAgainIsAnsweredAsBefore(t *testing.T) {
	for _, p := range procedures() {
		r := newRig(t, nfstest.Options{}, nil)
		dir, f := r.fill()
		before := r.mem.Calls(p)
		var answers [2][]byte
		for i := range answers {
			c := r.raw("127.0.0.1")
			c.send(77, 0, p, nfstest.Sample(p, dir, f))
			_, answers[i] = c.reply()
		}
		want := 2
		if slices.Contains(nonIdempotent, p) {
			if want = 1; !bytes.Equal(answers[0], answers[1]) {
				t.Errorf("%v: % x\nthen % x", p, answers[0], answers[1])
			}
		}
		if n := r.mem.Calls(p) - before; n != want {
			t.Errorf("%v is executed %d times", p, n)
		}
	}
}

func TestACallThatComesAgainWhileItIsUnderWayWaits(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcMkdir))
	first, second := r.raw("127.0.0.1"), r.raw("127.0.0.1")
	first.send(77, 0, nfs.ProcMkdir, nfstest.Sample(nfs.ProcMkdir, dir, f))
	<-trap.Caught
	second.send(77, 0, nfs.ProcMkdir, nfstest.Sample(nfs.ProcMkdir, dir, f))
	second.send(78, 0, nfs.ProcGetAttr, nfstest.Sample(nfs.ProcGetAttr, dir, f))
	if xid, _ := second.reply(); xid != 78 {
		t.Fatalf("%d is answered first", xid)
	}
	trap.Release()
	_, one := first.reply()
	if _, two := second.reply(); !bytes.Equal(one, two) {
		t.Errorf("% x\nand % x", one, two)
	}
	if n := r.mem.Calls(nfs.ProcMkdir); n != 1 {
		t.Errorf("it is executed %d times", n)
	}
}

// When the server is cut down, who waits for another's answer is told to ask again.
func TestACallThatWaitsForItsAnswerInVainIsToldToComeAgain(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	var e xdr.Encoder
	nfstest.Sample(nfs.ProcMkdir, dir, f).Encode(&e)
	call := func() *rpc.Call {
		return &rpc.Call{CallHeader: rpc.CallHeader{XID: 7, Procedure: uint32(nfs.ProcMkdir)}, Remote: local, Args: e.Bytes()}
	}
	trap := r.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcMkdir))
	served := make(chan struct{})
	go func() {
		defer close(served)
		r.server.Serve(context.Background(), call())
	}()
	<-trap.Caught
	ctx, cut := context.WithCancel(t.Context())
	cut()
	again := call()
	r.server.Serve(ctx, again)
	var m nfs.CreateResult
	if err := decodeResult(again.Results.Bytes(), &m); err != nil || m.Status != nfs.ErrJukebox {
		t.Errorf("%v, %v", m.Status, err)
	}
	trap.Release()
	<-served
}

// A call that merely has the same XID is another one.
func TestOtherCallsAreNoDuplicates(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	expect(t, "chmod", nfstest.User{T: t, FS: r.mem}.Chmod(r.mem.Root(), 0o777).Status, nfs.OK)
	send := func(from string, xid, uid uint32, a nfs.Message) {
		c := r.raw(from)
		c.send(xid, uid, nfs.ProcRemove, a)
		c.reply()
	}
	a := nfstest.Sample(nfs.ProcRemove, dir, f)
	before := r.mem.Calls(nfs.ProcRemove)
	send("127.0.0.1", 1, 0, a)
	send("127.0.0.1", 2, 0, a)
	send("127.0.0.2", 1, 0, a)
	send("127.0.0.1", 1, 5, a)
	send("127.0.0.1", 1, 0, &nfs.DirOp{Dir: dir, Name: "g"})
	if n := r.mem.Calls(nfs.ProcRemove) - before; n != 5 {
		t.Errorf("%d of 5 are executed", n)
	}
	c := r.raw("127.0.0.1")
	c.send(1, 0, nfs.ProcRmdir, a)
	if c.reply(); r.mem.Calls(nfs.ProcRmdir) != 1 {
		t.Error("another procedure is answered as the first one")
	}
}

func TestCallsAreToldApartByAllThatSaysWhoMakesThem(t *testing.T) {
	key, seen := sipKey{1, 2}, map[uint64]string{}
	for name, c := range map[string]struct {
		flavor   rpc.Flavor
		uid, gid uint32
		gids     []uint32
	}{
		"a user": {rpc.AuthSys, 1, 2, []uint32{3}}, "another user": {rpc.AuthSys, 5, 2, []uint32{3}}, "another group": {rpc.AuthSys, 1, 5, []uint32{3}},
		"other groups": {rpc.AuthSys, 1, 2, []uint32{5}}, "no groups": {rpc.AuthSys, 1, 2, nil}, "more groups": {rpc.AuthSys, 1, 2, []uint32{3, 3}},
		"nobody": {rpc.AuthNone, 0, 0, nil}, "root": {rpc.AuthSys, 0, 0, nil},
	} {
		cred := rpc.Credentials{Flavor: c.flavor, UID: c.uid, GID: c.gid}
		cred.SetGIDs(c.gids)
		sum := sumOf(key, &cred, []byte("args"))
		if seen[sum] != "" {
			t.Errorf("%s and %s are one", name, seen[sum])
		}
		if seen[sum] = name; sumOf(key, &cred, []byte("args")) != sum {
			t.Errorf("%s is not the same again", name)
		}
	}
}

func TestAnExclusiveCreateIsExecutedAgain(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	a := &nfs.CreateArgs{Where: nfs.DirOp{Dir: r.root(), Name: "x"}, Mode: nfs.Exclusive}
	for range 2 {
		c := r.raw("127.0.0.1")
		c.send(1, 0, nfs.ProcCreate, a)
		_, p := c.reply()
		var m nfs.CreateResult
		if err := decodeResult(p, &m); err != nil || m.Status != nfs.OK {
			t.Errorf("%v %v", err, m.Status)
		}
	}
	if n := r.mem.Calls(nfs.ProcCreate); n != 2 {
		t.Errorf("it is executed %d times", n)
	}
}

// A copy that is executed when the client has its answer, and has removed the file, would make it again.
func TestCopiesOfAnExclusiveCreateThatAreUnderWayAreExecutedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newFuzzed(t, cold)
		var e xdr.Encoder
		(&nfs.CreateArgs{Where: nfs.DirOp{Dir: z.dir, Name: "lock"}, Mode: nfs.Exclusive}).Encode(&e)
		trap := z.mem.Hold(nfstest.Before, nfstest.Only(nfs.ProcCreate))
		var answers [2][]byte
		var served sync.WaitGroup
		for i := range answers {
			served.Go(func() { answers[i] = z.serve(nfs.ProcCreate, e.Bytes()) })
			synctest.Wait()
		}
		trap.Release()
		served.Wait()
		if n := z.mem.Calls(nfs.ProcCreate); n != 1 || !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("executed %d times, answered % x\nand % x", n, answers[0], answers[1])
		}
		var m nfs.CreateResult
		if err := decodeResult(answers[1], &m); err != nil || m.Status != nfs.OK {
			t.Errorf("%v %v", err, m.Status)
		}
	})
}

// That a call isn't answered now is nothing to be remembered.
func TestACallThatHadNoAnswerIsExecutedAgain(t *testing.T) {
	r := newRig(t, nfstest.Options{}, nil)
	dir, f := r.fill()
	trap := r.mem.Fail(nfstest.Before, nfs.ErrAway, nfstest.Only(nfs.ProcMkdir))
	for _, want := range []nfs.Status{nfs.ErrJukebox, nfs.OK} {
		c := r.raw("127.0.0.1")
		c.send(1, 0, nfs.ProcMkdir, nfstest.Sample(nfs.ProcMkdir, dir, f))
		_, p := c.reply()
		var m nfs.CreateResult
		if err := decodeResult(p, &m); err != nil || m.Status != want {
			t.Errorf("%v %v, want %v", err, m.Status, want)
		}
		trap.Release()
	}
}

func idOf(i int) CallID { return CallID{Client: netip.IPv6Loopback(), XID: uint32(i)} }

// answered says whether a call is remembered.
func answered(d *duplicates, i int) bool {
	a, mine, _ := d.begin(idOf(i))
	if mine {
		d.end(a, Void, nil)
	}
	return !mine
}

// The memory that an answer was made in is another call's as soon as it has been sent.
func TestAnAnswerIsRememberedForItself(t *testing.T) {
	d := newDuplicates(time.Now)
	a, _, _ := d.begin(idOf(1))
	p := []byte("answer")
	d.end(a, Outcome, p)
	copy(p, "others")
	a, mine, _ := d.begin(idOf(1))
	if got, err := a.wait(t.Context()); mine || err != nil || string(got) != "answer" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	c := &clock{now: time.Unix(1e9, 0)}
	fill := func(n, size int) *duplicates {
		d := newDuplicates(c.Now)
		for i := range n {
			a, _, _ := d.begin(idOf(i))
			d.end(a, Outcome, make([]byte, size))
		}
		return d
	}
	d := fill(maxAnswers+10, 8)
	if len(d.mu.answers) != maxAnswers || answered(d, 9) || !answered(d, 10) {
		t.Errorf("%d answers", len(d.mu.answers))
	}
	d = fill(10, maxAnswerBytes/4)
	if len(d.mu.answers) != 4 || answered(d, 5) || !answered(d, 6) {
		t.Errorf("%d long answers", len(d.mu.answers))
	}
	d = fill(1, 8)
	c.pass(maxAge)
	if !answered(d, 0) {
		t.Error("it is forgotten early")
	}
	c.pass(1)
	if answered(d, 0) || d.mu.bytes != 0 || len(d.mu.order) != 0 {
		t.Error("it is remembered for too long")
	}
}
