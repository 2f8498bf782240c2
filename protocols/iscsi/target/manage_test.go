package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
)

// managed sends a task management request and returns the response, with what came before it.
func (c *raw) managed(h iscsi.Header) (response byte, before []pdu) {
	c.t.Helper()
	c.send(h, nil)
	for {
		p := c.next()
		if p.Opcode() == iscsi.OpTaskMgmtResp && p.InitiatorTag() == h.InitiatorTag() {
			return p.Response(), before
		}
		before = append(before, p)
	}
}

// functions are those that end a write of tag 7, by what they are sent as.
var functions = map[string]func(c *raw) iscsi.Header{
	"ABORT TASK":         func(c *raw) iscsi.Header { return c.manage(70, iscsi.AbortTask, 7) },
	"ABORT TASK SET":     func(c *raw) iscsi.Header { return c.manage(70, iscsi.AbortTaskSet, iscsi.ReservedTag) },
	"CLEAR TASK SET":     func(c *raw) iscsi.Header { return c.manage(70, iscsi.ClearTaskSet, iscsi.ReservedTag) },
	"LOGICAL UNIT RESET": func(c *raw) iscsi.Header { return c.manage(70, iscsi.LogicalUnitReset, iscsi.ReservedTag) },
	"TARGET WARM RESET":  func(c *raw) iscsi.Header { return c.manage(70, iscsi.TargetWarmReset, iscsi.ReservedTag) },
	"in its turn": func(c *raw) iscsi.Header {
		h := c.request(iscsi.OpTaskMgmt, 70)
		h.SetFlags(iscsi.FlagFinal | byte(iscsi.AbortTaskSet))
		return h
	},
}

func TestAnAbortIsAnsweredWhenTheDeviceIsDoneWithTheTask(t *testing.T) {
	for name, request := range functions {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			entered, cancelled, leave := make(chan string, 1), make(chan string, 1), make(chan string)
			r.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
				if call != "write" {
					return ctx.Err()
				}
				entered <- call
				<-ctx.Done()
				cancelled <- call
				<-leave // the array still has it
				return ctx.Err()
			}
			c := r.login()
			c.ready()
			c.send(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
			receive(t, entered)
			h := request(c)
			c.send(h, nil)
			receive(t, cancelled)
			if before := c.ping(); len(before) > 0 {
				t.Fatalf("%02x while the device has the task", before[0].Opcode())
			}
			close(leave)
			if p := c.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete || p.InitiatorTag() != 70 {
				t.Errorf("% x", []byte(p.Header))
			}
			if before := c.ping(); len(before) > 0 {
				t.Errorf("%02x after the answer", before[0].Opcode())
			}
			if !bytes.Equal(r.store.Content(), make([]byte, diskSize)) {
				t.Error("it was written")
			}
			if width, _ := c.window(); width != 112 {
				t.Errorf("the window is %d wide", width)
			}
		})
	}
}

func TestAWriteIsAbortedWhileItsDataIsCollected(t *testing.T) {
	for name, request := range functions {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.login("MaxBurstLength", "512", "MaxOutstandingR2T", "2")
			c.ready()
			c.send(c.write(7, 0, 2048), nil)
			first, second := c.expect(iscsi.OpR2T), c.expect(iscsi.OpR2T)
			c.send(dataOut(7, first.TargetTag(), 0, 0, true), make([]byte, 512))
			c.expect(iscsi.OpR2T)
			if code, before := c.managed(request(c)); code != iscsi.TaskComplete || len(before) > 0 {
				t.Errorf("response %d, %d PDUs before", code, len(before))
			}
			if n := r.pool.taken(); n != 0 {
				t.Errorf("%d bytes are still held", n)
			}
			c.send(dataOut(7, second.TargetTag(), 0, 512, true), make([]byte, 512)) // which was on its way
			c.send(c.write(7, 1, 512), pattern(make([]byte, 512), 7))               // the tag is free
			p := c.expect(iscsi.OpSCSIResponse)
			if reset := name != "ABORT TASK" && name != "ABORT TASK SET" && name != "CLEAR TASK SET" && name != "in its turn"; reset != (p.Status() == 2) {
				t.Errorf("status %02x", p.Status())
			}
			if width, _ := c.window(); width != 112 {
				t.Errorf("the window is %d wide", width)
			}
		})
	}
}

// keepsWrites has the array keep each WRITE, when it has been cancelled too, until it is to leave.
func (r *rig) keepsWrites() (entered, cancelled, leave chan string) {
	entered, cancelled, leave = make(chan string, 1), make(chan string, 1), make(chan string)
	r.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
		if call != "write" {
			return ctx.Err()
		}
		entered <- call
		<-ctx.Done()
		cancelled <- call
		<-leave
		return nil
	}
	return entered, cancelled, leave
}

// An initiator whose abort takes too long goes on to the next function, which must not promise what the first one can't yet.
func TestC5_AFunctionWaitsForWhatAnEarlierOneAbortedToo(t *testing.T) {
	for name, second := range functions {
		if name == "ABORT TASK" { // the task is no more: who asks is told so
			continue
		}
		for _, fromOther := range []bool{false, true} {
			if own := name == "ABORT TASK SET" || name == "in its turn"; own && fromOther {
				continue
			}
			t.Run(fmt.Sprintf("%s, from another session %v", name, fromOther), func(t *testing.T) {
				r := newRig(t)
				entered, cancelled, leave := r.keepsWrites()
				c := r.login()
				c.ready()
				c.send(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
				receive(t, entered)
				c.send(c.manage(60, iscsi.AbortTask, 7), nil)
				receive(t, cancelled)
				by := c
				if fromOther {
					by, _ = r.as("iqn.other", 9, 0)
				}
				by.send(second(by), nil)
				if before := by.ping(); len(before) > 0 {
					t.Errorf("%02x while the device has the task", before[0].Opcode())
				}
				close(leave)
				for range map[bool]int{true: 1, false: 2}[fromOther] {
					if p := by.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete {
						t.Errorf("% x", []byte(p.Header))
					}
				}
			})
		}
	}
}

// A host that takes over resets the unit, and then reads what the other one has left.
func TestC5_AResetWaitsForWhatALostSessionHasAtTheDevice(t *testing.T) {
	r := newRig(t)
	entered, cancelled, leave := r.keepsWrites()
	lost := r.login()
	c, _ := r.as("iqn.other", 9, 0)
	lost.ready()
	lost.send(lost.write(7, 0, 512), make([]byte, 512))
	receive(t, entered)
	lost.net.Close()
	receive(t, cancelled)
	c.send(c.manage(70, iscsi.LogicalUnitReset, iscsi.ReservedTag), nil)
	if before := c.ping(); len(before) > 0 {
		t.Errorf("%02x while the device has the task", before[0].Opcode())
	}
	close(leave)
	if p := c.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete {
		t.Errorf("% x", []byte(p.Header))
	}
}

func TestAnAbortOfWhatIsOverSaysSoAfterItsAnswer(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	c.send(c.read(7, 0, 512), nil)
	code, before := c.managed(c.manage(70, iscsi.AbortTask, 7))
	if code != iscsi.TaskDoesNotExist || len(before) != 1 || before[0].Opcode() != iscsi.OpDataIn || before[0].InitiatorTag() != 7 {
		t.Errorf("response %d, %d PDUs before", code, len(before))
	}
}

func TestAnAbortOfACommandThatNeverCameClosesItsGap(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	lost := c.read(7, 0, 512) // never sent
	c.send(c.read(8, 0, 512), nil)
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("%02x ahead of its turn", before[0].Opcode())
	}
	c.sendAbort(70, 7, lost.CmdSN())
	if p := c.expect(iscsi.OpTaskMgmtResp); p.Response() != iscsi.TaskComplete {
		t.Errorf("response %d", p.Response())
	}
	if p := c.expect(iscsi.OpDataIn); p.InitiatorTag() != 8 {
		t.Errorf("% x", []byte(p.Header))
	}
	c.send(lost, nil) // too late
	if width, expected := c.window(); width != 112 || expected != c.cmdSN {
		t.Errorf("the window is %d wide from %d", width, expected)
	}
}

func TestFunctionsThatCanNotBePerformedSaySo(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	elsewhere := func(f iscsi.TaskFunction) iscsi.Header {
		h := c.manage(70, f, iscsi.ReservedTag)
		h.SetLUN([]byte{0, 9})
		return h
	}
	for name, x := range map[string]struct {
		h    iscsi.Header
		want byte
	}{
		"no such task":          {c.manage(70, iscsi.AbortTask, 99), iscsi.TaskDoesNotExist},
		"no such unit, abort":   {elsewhere(iscsi.AbortTaskSet), iscsi.TaskNoSuchUnit},
		"no such unit, clear":   {elsewhere(iscsi.ClearTaskSet), iscsi.TaskNoSuchUnit},
		"no such unit, reset":   {elsewhere(iscsi.LogicalUnitReset), iscsi.TaskNoSuchUnit},
		"CLEAR ACA":             {c.manage(70, iscsi.ClearACA, iscsi.ReservedTag), iscsi.TaskNotSupported},
		"TASK REASSIGN":         {c.manage(70, iscsi.TaskReassign, 99), iscsi.TaskNoReassign},
		"one that is not known": {c.manage(70, 0x33, iscsi.ReservedTag), iscsi.TaskFunctionError},
	} {
		if code, _ := c.managed(x.h); code != x.want {
			t.Errorf("%s: response %d instead of %d", name, code, x.want)
		}
	}
}

// two sessions with a write each that the device holds, the first with one to another unit too.
type contended struct {
	*rig
	gate  *gate
	a, b  *raw
	other *scsi.Unit
}

func contend(t *testing.T) contended {
	gate := newGate()
	r := newRig(t)
	r.store.Hold = gate.hold("write")
	x := contended{rig: r, gate: gate, other: newUnit(r.store)}
	devices := map[uint64]scsi.Device{0: r.unit, 1: x.other}
	r.targets[disk].LUNs = func() map[uint64]scsi.Device { return devices }
	x.a = r.login()
	x.b = r.raw(false)
	h := x.b.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature)
	h.SetISID([]byte{0x80, 9, 9, 9, 9, 9})
	x.b.send(h, keys("InitiatorName", "iqn.other", "TargetName", disk))
	x.b.expect(iscsi.OpLoginResp)
	x.a.ready()
	x.b.ready()
	for _, c := range []*raw{x.a, x.b} {
		c.send(c.write(7, 0, 512), make([]byte, 512))
		receive(t, gate.entered)
	}
	elsewhere := x.a.write(8, 1, 512)
	elsewhere.SetLUN([]byte{0, 1})
	x.a.send(elsewhere, make([]byte, 512)) // a new nexus there: a unit attention
	x.a.expect(iscsi.OpSCSIResponse)
	elsewhere = x.a.write(8, 1, 512)
	elsewhere.SetLUN([]byte{0, 1})
	x.a.send(elsewhere, make([]byte, 512))
	receive(t, gate.entered)
	return x
}

// attention returns the additional sense code of the next command, or 0.
func (c *raw) attention(lun byte) byte {
	c.t.Helper()
	h := c.request(iscsi.OpSCSICommand, 0x7ead)
	h.SetLUN([]byte{0, lun})
	c.send(h, nil)
	p := c.expect(iscsi.OpSCSIResponse)
	if p.Status() == 0 {
		return 0
	}
	return p.data[2+12]
}

func TestEachFunctionEndsTheTasksThatItIsFor(t *testing.T) {
	for name, x := range map[string]struct {
		function   iscsi.TaskFunction
		ended      int // of the three writes
		others     bool
		elsewhere  bool
		attentionA byte
		attentionB byte
	}{
		"ABORT TASK SET":     {iscsi.AbortTaskSet, 1, false, false, 0, 0},
		"CLEAR TASK SET":     {iscsi.ClearTaskSet, 2, true, false, 0, 0x2f},
		"LOGICAL UNIT RESET": {iscsi.LogicalUnitReset, 2, true, false, 0x29, 0x29},
		"TARGET WARM RESET":  {iscsi.TargetWarmReset, 3, true, true, 0x29, 0x29},
	} {
		t.Run(name, func(t *testing.T) {
			r := contend(t)
			if code, before := r.a.managed(r.a.manage(70, x.function, iscsi.ReservedTag)); code != iscsi.TaskComplete || len(before) > 0 {
				t.Fatalf("response %d, %d PDUs before", code, len(before))
			}
			if n := len(r.gate.left); n != x.ended {
				t.Errorf("%d writes were ended instead of %d", n, x.ended)
			}
			close(r.gate.open)
			if !x.elsewhere {
				if p := r.a.expect(iscsi.OpSCSIResponse); p.InitiatorTag() != 8 || p.Status() != 0 {
					t.Errorf("the other unit's write: % x", []byte(p.Header))
				}
			}
			if !x.others {
				if p := r.b.expect(iscsi.OpSCSIResponse); p.InitiatorTag() != 7 || p.Status() != 0 {
					t.Errorf("the other session's write: % x", []byte(p.Header))
				}
			}
			if a, b := r.a.attention(0), r.b.attention(0); a != x.attentionA || b != x.attentionB {
				t.Errorf("attentions %02x and %02x", a, b)
			}
			for _, c := range []*raw{r.a, r.b} {
				if width, _ := c.window(); width != 112 {
					t.Errorf("the window is %d wide", width)
				}
			}
		})
	}
}

func TestAColdResetEndsAllSessionsAfterItsAnswer(t *testing.T) {
	r := contend(t)
	code, before := r.a.managed(r.a.manage(70, iscsi.TargetColdReset, iscsi.ReservedTag))
	if code != iscsi.TaskComplete || len(before) > 0 {
		t.Errorf("response %d, %d PDUs before", code, len(before))
	}
	if list := append(r.a.ends(), r.b.ends()...); len(list) > 0 {
		t.Errorf("%02x after it", list[0].Opcode())
	}
	if n := len(r.gate.left); n != 3 {
		t.Errorf("%d writes were ended instead of 3", n)
	}
}

func TestManagementIsLimited(t *testing.T) {
	r := newRig(t)
	entered, cancelled, leave := make(chan string, 1), make(chan string, 1), make(chan string)
	r.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
		if call == "write" {
			entered <- call
			<-ctx.Done()
			cancelled <- call
			<-leave
		}
		return ctx.Err()
	}
	c := r.login()
	c.ready()
	c.send(c.write(7, 0, 512), make([]byte, 512))
	receive(t, entered)
	c.send(c.manage(100, iscsi.AbortTask, 7), nil)
	receive(t, cancelled)
	for tag := range uint32(5) { // these find nothing that they would wait for
		c.managed(c.manage(200+tag, iscsi.AbortTask, 7))
	}
	for n := range uint32(maxImmediate) {
		c.send(c.write(300+n, 0, 512), make([]byte, 512))
		receive(t, entered)
		c.send(c.manage(400+n, iscsi.AbortTask, 300+n), nil)
		if n < maxImmediate-1 {
			receive(t, cancelled)
		}
	}
	p := c.expect(iscsi.OpReject)
	if p.Response() != iscsi.RejectImmediate || iscsi.Header(p.data).InitiatorTag() != 400+maxImmediate-1 {
		t.Errorf("% x", []byte(p.Header))
	}
	close(leave)
	for range maxImmediate {
		c.expect(iscsi.OpTaskMgmtResp)
	}
	c.managed(c.manage(500, iscsi.LogicalUnitReset, iscsi.ReservedTag))
}

func TestAnAbortedCommandOfTheInitiatorEndsAsAborted(t *testing.T) {
	r := newRig(t, overTCP)
	gate := newGate()
	r.store.Hold, r.store.Cold = gate.hold("write"), true
	s := r.dial()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w := &initiator.Command{Out: make([]byte, 1<<20)}
	w.Write(0, 2048, false)
	go func() { ended <- s.Do(ctx, w) }()
	receive(t, gate.entered)
	cancel()
	if err := receive(t, ended); !errors.Is(err, initiator.ErrAborted) {
		t.Error(err)
	}
	if err := s.ResetUnit(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if err := s.Ready(t.Context(), 0); err != nil {
		t.Error(err)
	}
}
