package target

import (
	"bytes"
	"testing"

	"forebay/protocols/iscsi"
)

// window returns how many commands the target takes now, and the CmdSN that it expects.
func (c *raw) window() (width, expected uint32) {
	c.t.Helper()
	h := c.immediate(iscsi.OpNopOut, 0x9199)
	h.SetTargetTag(iscsi.ReservedTag)
	c.send(h, nil)
	for {
		if p := c.next(); p.Opcode() == iscsi.OpNopIn && p.InitiatorTag() == 0x9199 {
			return p.MaxCmdSN() + 1 - p.ExpCmdSN(), p.ExpCmdSN()
		}
	}
}

const testCommands = 16

func fewCommands(_ *rig, s *setup) { s.Limits.Commands = testCommands }

// both is a bidirectional command, which is refused.
func (c *raw) both(tag uint32) iscsi.Header {
	h := c.read(tag, 0, 512)
	h.SetFlags(iscsi.FlagFinal | iscsi.FlagRead | iscsi.FlagWrite)
	return h
}

func TestCommandsAreExecutedInTheOrderOfTheirNumbers(t *testing.T) {
	r := newRig(t)
	c := r.login("InitialR2T", "No")
	c.ready()
	first, second, third, fourth := c.write(1, 0, 1024), c.request(iscsi.OpNopOut, 2), c.read(3, 0, 512), c.read(4, 1, 512)
	data := pattern(make([]byte, 1024), 9)
	c.send(fourth, nil)
	c.send(third, nil)
	c.send(second, []byte("ping"))
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("%02x ahead of its turn", before[0].Opcode())
	}
	gate := newGate()
	r.store.Hold = gate.hold("write") // the first takes long, but it is begun before the others
	c.send(first, data)
	receive(t, gate.entered)
	if p := c.expect(iscsi.OpNopIn); p.InitiatorTag() != 2 || string(p.data) != "ping" {
		t.Errorf("% x", []byte(p.Header))
	}
	for range 2 { // each on a goroutine of its own
		if p := c.expect(iscsi.OpDataIn); p.InitiatorTag() != 3 && p.InitiatorTag() != 4 {
			t.Errorf("% x", []byte(p.Header))
		}
	}
	close(gate.open)
	if p := c.expect(iscsi.OpSCSIResponse); p.InitiatorTag() != 1 || p.Status() != 0 {
		t.Errorf("% x", []byte(p.Header))
	}
}

func TestAWriteAheadOfItsTurnCollectsWhatComesUnasked(t *testing.T) {
	r := newRig(t)
	c := r.login("InitialR2T", "No")
	c.ready()
	ping, write := c.request(iscsi.OpNopOut, 1), c.write(2, 0, 2048)
	data := pattern(make([]byte, 2048), 4)
	write.SetFlags(iscsi.FlagWrite)
	c.send(write, data[:512])
	c.send(dataOut(2, iscsi.ReservedTag, 0, 512, true), data[512:1536])
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("%02x ahead of its turn", before[0].Opcode())
	}
	c.send(ping, nil)
	c.expect(iscsi.OpNopIn)
	p := c.expect(iscsi.OpR2T)
	c.send(dataOut(2, p.TargetTag(), 0, 1536, true), data[1536:])
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0 || !bytes.Equal(r.store.Content()[:2048], data) {
		t.Errorf("% x", []byte(p.Header))
	}
}

func TestACommandIsTakenOnceAndOnlyFromTheWindow(t *testing.T) {
	r := newRig(t, fewCommands)
	c := r.login()
	c.ready()
	gap, early := c.request(iscsi.OpNopOut, 1), c.request(iscsi.OpNopOut, 2)
	beyond := c.request(iscsi.OpNopOut, 3)
	beyond.SetCmdSN(gap.CmdSN() + testCommands)
	before := c.request(iscsi.OpNopOut, 4)
	before.SetCmdSN(gap.CmdSN() - 1)
	for _, h := range []iscsi.Header{early, early, beyond, before, c.write(5, 0, 512)} {
		if h.Opcode() == iscsi.OpSCSICommand {
			h.SetCmdSN(gap.CmdSN() + testCommands)
		}
		c.send(h, pattern(make([]byte, 512), 1))
	}
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("% x", []byte(before[0].Header))
	}
	c.send(gap, nil)
	c.send(gap, nil)
	if list := c.ping(); len(list) != 2 || list[0].InitiatorTag() != 1 || list[1].InitiatorTag() != 2 {
		t.Errorf("%d answers", len(list))
	}
	c.send(early, nil)
	if list := c.ping(); len(list) > 0 {
		t.Errorf("it is answered again")
	}
	if width, expected := c.window(); width != testCommands || expected != early.CmdSN()+1 {
		t.Errorf("the window is %d wide from %d", width, expected)
	}
}

func TestNumbersWrapAround(t *testing.T) {
	r := newRig(t, fewCommands)
	c := r.raw(false)
	c.cmdSN = 0xfffffffe
	c.enter()
	c.ready()
	for tag := range uint32(2 * testCommands) {
		c.send(c.read(tag, 0, 512), nil)
		if p := c.expect(iscsi.OpDataIn); p.ExpCmdSN() != c.cmdSN || p.MaxCmdSN() != c.cmdSN+testCommands-1 {
			t.Fatalf("% x", []byte(p.Header))
		}
	}
}

// What is refused or aborted ahead of its turn must not widen the window, or it would hold more and more.
func TestTheWindowIsNeverWiderThanItsPlaces(t *testing.T) {
	for name, send := range map[string]func(c *raw, tag uint32){
		"refused":      func(c *raw, tag uint32) { c.send(c.both(tag), nil) },
		"rejected":     func(c *raw, _ uint32) { c.send(c.read(iscsi.ReservedTag, 0, 512), nil) },
		"held":         func(c *raw, tag uint32) { c.send(c.request(iscsi.OpNopOut, tag), make([]byte, 100)) },
		"never coming": func(c *raw, tag uint32) { c.sendAbort(tag, tag, c.cmdSN); c.cmdSN++ },
		"aborted when it was here": func(c *raw, tag uint32) {
			h := c.write(tag, 0, 4096)
			c.send(h, make([]byte, 4096))
			c.sendAbort(tag+1000, tag, h.CmdSN())
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, fewCommands)
			c := r.login()
			c.ready()
			gap := c.request(iscsi.OpNopOut, 1)
			for tag := range uint32(5 * testCommands) {
				send(c, 10+tag)
				if width, _ := c.window(); width > testCommands {
					t.Fatalf("the window is %d wide", width)
				}
				if n := r.pool.taken(); n > testCommands*4096 {
					t.Fatalf("%d bytes are held", n)
				}
			}
			c.cmdSN = gap.CmdSN() + testCommands
			c.send(gap, nil)
			if width, expected := c.window(); width != testCommands || expected != c.cmdSN {
				t.Errorf("in the end the window is %d wide from %d instead of %d", width, expected, c.cmdSN)
			}
		})
	}
}

// sendAbort sends an ABORT TASK that comes after all commands.
func (c *raw) sendAbort(tag, referenced, cmdSN uint32) {
	c.t.Helper()
	h := c.manage(tag, iscsi.AbortTask, referenced)
	h.SetReferencedCmdSN(cmdSN)
	h.SetCmdSN(cmdSN + 1)
	c.send(h, nil)
}

func TestImmediateCommandsTakeNoPlaceAndAreLimited(t *testing.T) {
	r := newRig(t, fewCommands)
	gate := newGate()
	r.store.Hold, r.store.Cold = gate.hold("read"), true
	c := r.login()
	c.ready()
	for tag := range uint32(maxImmediate + 1) {
		h := c.read(tag, 0, 512)
		c.cmdSN--
		h.SetImmediate()
		c.send(h, nil)
	}
	p := c.expect(iscsi.OpReject)
	if p.Response() != iscsi.RejectImmediate || iscsi.Header(p.data).InitiatorTag() != maxImmediate {
		t.Errorf("% x %x", []byte(p.Header), p.data)
	}
	if width, expected := c.window(); width != testCommands || expected != c.cmdSN {
		t.Errorf("the window is %d wide from %d", width, expected)
	}
	close(gate.open)
	for range maxImmediate {
		c.expect(iscsi.OpDataIn)
	}
	h := c.read(99, 0, 512)
	h.SetImmediate()
	c.send(h, nil)
	c.expect(iscsi.OpDataIn)
}

func TestATagThatIsInUseIsRejected(t *testing.T) {
	r := newRig(t)
	gate := newGate()
	r.store.Hold = gate.hold("write")
	c := r.login()
	c.ready()
	c.send(c.write(7, 0, 512), make([]byte, 512))
	receive(t, gate.entered)
	c.send(c.write(7, 0, 512), make([]byte, 512))
	if p := c.expect(iscsi.OpReject); p.Response() != iscsi.RejectInvalidField {
		t.Errorf("% x", []byte(p.Header))
	}
	close(gate.open)
	c.expect(iscsi.OpSCSIResponse)
	if before := c.ping(); len(before) > 0 {
		t.Errorf("% x", []byte(before[0].Header))
	}
}
