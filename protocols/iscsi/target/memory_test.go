package target

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// leastMemory gives a connection as little as there can be: first bursts for 48 commands, and 4 MiB to share.
func leastMemory(_ *rig, s *setup) { s.Limits.Memory = 1 }

func TestAWriteThatFindsThePoolEmptyIsToldToComeAgain(t *testing.T) {
	r := newRig(t, func(r *rig, _ *setup) { r.pool.left = 4096 })
	gate := newGate()
	r.store.Hold = gate.hold("write")
	c := r.login()
	c.ready()
	c.send(c.write(1, 0, 8192), make([]byte, 8192)) // nothing is under way whose end it could wait for
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != byte(scsi.StatusBusy) || p.Residual() != 8192 {
		t.Errorf("% x", []byte(p.Header))
	}
	c.send(c.write(2, 0, 4096), make([]byte, 4096))
	receive(t, gate.entered)
	c.send(c.write(3, 0, 512), make([]byte, 512))
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != byte(scsi.StatusTaskSetFull) || p.InitiatorTag() != 3 {
		t.Errorf("% x", []byte(p.Header))
	}
	close(gate.open)
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0 || p.InitiatorTag() != 2 {
		t.Errorf("% x", []byte(p.Header))
	}
	c.send(c.write(4, 0, 512), make([]byte, 512))
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0 || p.InitiatorTag() != 4 {
		t.Errorf("% x", []byte(p.Header))
	}
	if width, _ := c.window(); width != 112 {
		t.Errorf("the window is %d wide", width)
	}
}

func TestAWriteThatWaitedForMemoryIsToldToComeAgainWhenThePoolIsEmptyThen(t *testing.T) {
	r := newRig(t, leastMemory, func(r *rig, _ *setup) { r.pool.left = scsi.MaxTransfer })
	c := r.login("MaxBurstLength", "4096")
	c.ready()
	first := c.write(1, 0, scsi.MaxTransfer/2)
	c.send(first, nil)
	c.expect(iscsi.OpR2T)
	second := c.write(2, 0, 0)
	second.SetExpectedLength(scsi.MaxTransfer) // more than is left
	c.send(second, nil)
	c.ping()
	r.pool.mu.Lock()
	r.pool.left = 0
	r.pool.mu.Unlock()
	c.send(c.manage(70, iscsi.AbortTask, 1), nil)
	got := map[iscsi.Opcode]byte{}
	for range 2 {
		p := c.next()
		for p.Opcode() == iscsi.OpNopIn { // the window opens again
			p = c.next()
		}
		got[p.Opcode()] = p.Status()
	}
	if status, ok := got[iscsi.OpSCSIResponse]; !ok || status != byte(scsi.StatusBusy) {
		t.Errorf("%v", got)
	}
}

func TestLongWritesShareTheMemoryOfTheirConnection(t *testing.T) {
	r := newRig(t, leastMemory)
	gate := newGate()
	r.store.Hold = gate.hold("write")
	s := r.dial()
	const n = 20
	done := make(chan *initiator.Command, n)
	for i := range n {
		w := &initiator.Command{Out: pattern(make([]byte, 1<<20), i), Done: func(c *initiator.Command) { done <- c }}
		w.Write(0, 2048, false)
		if err := s.Submit(w); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // as many as there is room for, and one of which a part is taken
		receive(t, gate.entered)
	}
	if taken, most := r.pool.taken(), 2*scsi.MaxTransfer; taken > most {
		t.Errorf("%d bytes are held; the limit is %d", taken, most)
	}
	close(gate.open)
	for range n {
		if err := receive(t, done).Failure(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheWindowShrinksWhileMemoryIsShortAndSaysWhenItOpensAgain(t *testing.T) {
	r := newRig(t, leastMemory)
	c := r.login()
	c.ready()
	full, _ := c.window()
	for tag := range uint32(3) {
		h := c.write(tag, 0, 0)
		h.SetExpectedLength(scsi.MaxTransfer)
		c.send(h, nil)
	}
	c.expect(iscsi.OpR2T) // of the first; the others stand in line
	for tag := range uint32(10) {
		c.send(c.read(100+tag, 0, 512), nil)
		c.expect(iscsi.OpDataIn)
	}
	if width, _ := c.window(); width != full-13 {
		t.Errorf("the window is %d wide instead of %d", width, full-13)
	}
	c.managed(c.manage(70, iscsi.AbortTask, 0))
	c.send(c.manage(71, iscsi.AbortTask, 1), nil) // the last gets its memory: nobody waits
	told := false
	for _, p := range c.ping() {
		if p.Opcode() == iscsi.OpNopIn {
			told = p.TargetTag() == iscsi.ReservedTag && p.InitiatorTag() == iscsi.ReservedTag && p.MaxCmdSN()+1-p.ExpCmdSN() == full-1
		}
	}
	if !told {
		t.Error("it is not said")
	}
	if width, _ := c.window(); width != full-1 {
		t.Errorf("the window is %d wide instead of %d", width, full-1)
	}
}

// What one session's reset gives back may let another's commands go on, whose reader is asleep.
func TestMemoryThatAnotherSessionFreesIsUsedAtOnce(t *testing.T) {
	r := newRig(t, leastMemory)
	devices := map[uint64]scsi.Device{0: r.unit, 1: newUnit(r.store)}
	r.targets[disk].LUNs = func() map[uint64]scsi.Device { return devices }
	a, _ := r.as(client, 1, 0)
	b, _ := r.as(client, 2, 0)
	first, second := a.write(1, 0, 0), a.write(2, 0, 512<<10)
	first.SetExpectedLength(scsi.MaxTransfer)
	second.SetLUN([]byte{0, 1})
	a.send(first, nil)
	a.expect(iscsi.OpR2T)
	a.send(second, nil)
	if before := a.ping(); len(before) > 0 {
		t.Fatalf("% x", []byte(before[0].Header))
	}
	if code, _ := b.managed(b.manage(70, iscsi.LogicalUnitReset, iscsi.ReservedTag)); code != iscsi.TaskComplete {
		t.Errorf("response %d", code)
	}
	p := a.next()
	for p.Opcode() == iscsi.OpNopIn {
		p = a.next()
	}
	if p.Opcode() != iscsi.OpR2T || p.InitiatorTag() != 2 {
		t.Errorf("% x", []byte(p.Header))
	}
}

// pinning is a store that hands out its own memory and counts what is not given back.
type pinning struct {
	*scsitest.Mem
	mu           sync.Mutex
	out, highest int
}

func (s *pinning) ReadNow(d *scsi.Data, off int64, n int) bool {
	if s.Cold {
		return false
	}
	return s.Read(context.Background(), d, off, n) == nil
}

func (s *pinning) Read(ctx context.Context, d *scsi.Data, off int64, n int) error {
	if s.Hold != nil && s.Cold {
		if err := s.Hold(ctx, "read", off, int64(n)); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Add(make([]byte, n), s, uint64(n))
	s.out += n
	s.highest = max(s.highest, s.out)
	return nil
}

func (s *pinning) Release(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out -= int(n)
}

// flood sends reads without an end and takes no answer. It returns when the server takes no more of them.
func (c *raw) flood(n int) {
	_ = c.net.SetWriteDeadline(time.Now().Add(time.Second)) // in a bubble: when nothing moves any more
	for {
		h := c.read(c.cmdSN, 0, n)
		h.SetExpectedLength(uint32(n))
		if _, err := c.net.Write(c.encode(h, nil)); err != nil {
			return
		}
	}
}

// bubble runs a subtest under a clock of its own.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestAPeerThatReadsNothingHoldsNoMoreThanItsShare(t *testing.T) {
	for name, x := range map[string]struct {
		cold bool
		n    int
	}{"hits": {false, 32768}, "misses": {true, 32768}, "long misses": {true, 512 << 10}, "long hits": {false, 512 << 10}} {
		bubble(t, name, func(t *testing.T) {
			store := &pinning{Mem: scsitest.NewMem(diskSize)}
			store.Cold = x.cold
			r := newRig(t, func(_ *rig, s *setup) { s.store = store })
			r.slow().flood(x.n)
			synctest.Wait()
			// Unsent are at most two batches and a command that went over; under way is what the window and the budget allow.
			if most := 2*batchBytes + scsi.MaxTransfer + 16<<20; store.highest > most {
				t.Errorf("%d bytes are held; %d are allowed", store.highest, most)
			}
			over, cancel := context.WithCancel(context.Background())
			cancel()
			r.server.Shutdown(over)
			if store.out != 0 {
				t.Errorf("%d bytes are not given back", store.out)
			}
		})
	}
}

func TestWhatIsBeingSentIsNotTouchedByAnAbort(t *testing.T) {
	store := &pinning{Mem: scsitest.NewMem(diskSize)}
	r := newRig(t, func(_ *rig, s *setup) { s.store = store })
	c := r.slow()
	h, abort := c.read(7, 0, 65024), c.manage(70, iscsi.AbortTask, 7)
	go c.sendBytes(append(c.encode(h, nil), c.encode(abort, nil)...))
	var got []byte
	for len(got) < 65024 {
		p, err := c.readPDU(false)
		if err != nil || p.Opcode() != iscsi.OpDataIn {
			t.Fatalf("%v, % x", err, []byte(p.Header))
		}
		store.mu.Lock()
		if store.out == 0 {
			t.Error("what is being sent was given back")
		}
		store.mu.Unlock()
		got = append(got, p.data...)
	}
	if p, err := c.readPDU(false); err != nil || p.Opcode() != iscsi.OpTaskMgmtResp || p.Response() != iscsi.TaskDoesNotExist {
		t.Errorf("%v, % x", err, []byte(p.Header))
	}
	if !bytes.Equal(got, make([]byte, 65024)) {
		t.Error("something else came")
	}
}
