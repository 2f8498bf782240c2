package target

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

func TestWritesThatComeTogetherAreLaunchedAndKickedTogether(t *testing.T) {
	s := newLaunching()
	var kicked []int
	s.seen = func(n int) { kicked = append(kicked, n) }
	r := newLaunchRig(t, s)
	c := r.login()
	c.ready()
	var all []byte
	for tag := range uint32(5) {
		all = append(all, c.encode(c.write(tag, int(tag)*8, 4096), pattern(make([]byte, 4096), int(tag)))...)
	}
	c.sendBytes(all)
	for tag := range uint32(5) {
		c.good(tag)
	}
	c.fullWindow()
	if len(kicked) != 1 || kicked[0] != 5 || s.called("write") > 0 {
		t.Errorf("kicks of %v writes, and %d were waited for", kicked, s.called("write"))
	}
	for i := range 5 {
		if !bytes.Equal(s.Content()[i*4096:][:4096], pattern(make([]byte, 4096), i)) {
			t.Errorf("write %d is not what was sent", i)
		}
	}
}

func TestWhatTheDeviceDoesNotLaunchIsExecuted(t *testing.T) {
	fua := func(c *raw) iscsi.Header {
		h := c.write(7, 0, 512)
		h.CDB()[1] = 0x08
		return h
	}
	for name, x := range map[string]struct {
		refuse bool
		write  func(c *raw) iscsi.Header
	}{
		"FUA":     {false, fua},
		"refused": {true, func(c *raw) iscsi.Header { return c.write(7, 0, 512) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newLaunching()
			s.refuse = x.refuse
			r := newLaunchRig(t, s)
			c := r.login()
			c.ready()
			c.send(x.write(c), pattern(make([]byte, 512), 1))
			c.good(7)
			if s.called("launch") != 0 || s.called("write") != 1 {
				t.Errorf("%d launched, %d written", s.called("launch"), s.called("write"))
			}
			c.fullWindow()
		})
	}
}

// A launched write that nobody kicks is never done: the reader kicks before each of its waits.
func TestTheReaderKicksBeforeItWaits(t *testing.T) {
	piece := make([]byte, 512)
	for name, rest := range map[string]func(c *raw) []byte{
		"for a PDU":             func(*raw) []byte { return nil },
		"in a header":           func(c *raw) []byte { return c.encode(c.read(8, 0, 512), nil)[:20] },
		"in a command's data":   func(c *raw) []byte { return c.encode(c.write(8, 8, 512), piece)[:100] },
		"in long data":          func(c *raw) []byte { return c.encode(c.write(8, 8, 64<<10), make([]byte, 64<<10))[:1000] },
		"in data to be ignored": func(*raw) []byte { return make([]byte, 3) },
		"for data of an R2T":    func(c *raw) []byte { return c.encode(c.write(8, 8, 1<<20), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newLaunchRig(t, newLaunching())
			c := r.login()
			c.ready()
			c.sendBytes(append(c.encode(c.write(7, 0, 512), piece), rest(c)...))
			for p := c.next(); p.InitiatorTag() != 7; p = c.next() {
				if p.Opcode() != iscsi.OpR2T {
					t.Errorf("%02x", p.Opcode())
				}
			}
		})
	}
}

// Answers that nobody takes stop the reader, and it has kicked before.
func TestTheReaderKicksBeforeItWaitsForAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLaunching()
		r := newLaunchRig(t, s)
		c := r.slow()
		all := c.encode(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
		for tag := range uint32(3) {
			all = append(all, c.encode(c.read(100+tag, 0, 1<<20), nil)...)
		}
		all = append(all, c.encode(c.write(8, 8, 512), pattern(make([]byte, 512), 2))...) // not taken: no room for answers
		c.sendBytes(all)
		synctest.Wait()
		if !bytes.Equal(s.Content()[:512], pattern(make([]byte, 512), 1)) {
			t.Error("a write waits for the peer")
		}
		if s.called("launch") != 1 {
			t.Errorf("%d launched: more PDUs are taken than there is room for answers", s.called("launch"))
		}
	})
}

// So does what is told before a connection ends with a data digest error.
func TestTheReaderKicksBeforeItTellsOfADigestError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLaunching()
		r := newLaunchRig(t, s)
		c := r.slow("HeaderDigest", "CRC32C", "DataDigest", "CRC32C")
		all := c.encode(c.write(7, 0, 512), pattern(make([]byte, 512), 1))
		rotten := c.encode(c.write(8, 8, 512), make([]byte, 512))
		rotten[len(rotten)-1] ^= 1
		c.sendBytes(append(all, rotten...))
		synctest.Wait()
		if !bytes.Equal(s.Content()[:512], pattern(make([]byte, 512), 1)) {
			t.Error("a write waits for the peer")
		}
	})
}

func TestEachDeviceIsKickedWhoseTurnsAlternate(t *testing.T) {
	first, second := newLaunching(), newLaunching()
	r := newLaunchRig(t, first)
	devices := map[uint64]scsi.Device{0: r.unit, 1: newUnit(second)}
	r.targets[disk].LUNs = func() map[uint64]scsi.Device { return devices }
	c := r.login()
	c.ready()
	if c.attention(1) != 0x29 {
		t.Error("no attention")
	}
	var all []byte
	const n = 6
	for tag := range uint32(n) {
		h := c.write(tag, int(tag), 512)
		h.SetLUN([]byte{0, byte(tag % 2)})
		all = append(all, c.encode(h, pattern(make([]byte, 512), int(tag)))...)
	}
	c.sendBytes(all)
	for tag := range uint32(n) {
		c.good(tag)
	}
	if a, b := first.called("launch"), second.called("launch"); a != n/2 || b != n/2 {
		t.Errorf("%d and %d launched", a, b)
	}
	c.fullWindow()
}

// What is answered when the reader is not about to send is sent all the same, and who answers waits for nobody.
func TestALaunchedWriteIsAnsweredFromElsewhere(t *testing.T) {
	r, s := heldRig(t)
	c := r.login()
	c.ready()
	for tag := range uint32(3) {
		c.send(c.write(tag, int(tag), 512), make([]byte, 512))
	}
	for tag := range uint32(3) {
		w := receive(t, s.under)
		if before := c.ping(); len(before) > 0 {
			t.Fatalf("%02x before the device is done", before[0].Opcode())
		}
		w.finish(nil)
		c.good(tag)
	}
	c.fullWindow()
}

func TestWhoAnswersALaunchedWriteDoesNotWaitForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := heldRig(t)
		c := r.slow()
		const n = 10
		for tag := range uint32(n) {
			c.send(c.write(tag, int(tag), 512), make([]byte, 512))
		}
		for range n { // nobody reads: if one waited for that, the test would have nothing left to run
			(<-s.under).finish(nil)
			synctest.Wait()
		}
		for tag := range uint32(n) {
			if p, err := c.readPDU(false); err != nil || p.InitiatorTag() != tag || p.Status() != 0 {
				t.Errorf("instead of the answer to %d: % x, %v", tag, []byte(p.Header), err)
			}
		}
	})
}

func TestALaunchedWriteThatFailsIsToldSo(t *testing.T) {
	r, s := heldRig(t)
	c := r.login()
	c.ready()
	c.send(c.write(7, 0, 512), make([]byte, 512))
	receive(t, s.under).finish(errors.New("the array has lost it"))
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != byte(scsi.StatusCheckCondition) || p.data[2+2]&15 != 3 || p.data[2+12] != 0x0c {
		t.Errorf("% x, % x", []byte(p.Header), p.data)
	}
	c.send(c.write(8, 0, 512), make([]byte, 512)) // nothing of that stays with what is used again
	receive(t, s.under).finish(nil)
	c.good(8)
}

// A launched command that the device refuses is answered while it is launched.
func TestALaunchedWriteThatIsRefusedIsAnswered(t *testing.T) {
	r := newLaunchRig(t, newLaunching())
	c := r.login()
	c.send(c.write(7, 0, 512), make([]byte, 512)) // the attention of a new nexus
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != byte(scsi.StatusCheckCondition) || p.data[2+12] != 0x29 || p.Flags()&iscsi.FlagUnderflow == 0 {
		t.Errorf("% x, % x", []byte(p.Header), p.data)
	}
	c.send(c.write(7, diskSize/blockSize, 512), make([]byte, 512))
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != byte(scsi.StatusCheckCondition) || p.data[2+12] != 0x21 {
		t.Errorf("% x, % x", []byte(p.Header), p.data)
	}
	c.fullWindow()
}

// The memory of a launched write goes on to who stands in line for it, whose R2T is sent at once.
func TestTheEndOfALaunchedWriteGivesItsMemoryOn(t *testing.T) {
	r, s := heldRig(t, leastMemory)
	c := r.login("MaxBurstLength", "16776192", "MaxRecvDataSegmentLength", "262144")
	c.ready()
	c.send(c.write(1, 0, scsi.MaxTransfer), nil)
	p := c.expect(iscsi.OpR2T)
	c.send(c.write(2, 0, scsi.MaxTransfer), nil) // stands in line
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("%02x without memory", before[0].Opcode())
	}
	for p.InitiatorTag() == 1 && p.Opcode() == iscsi.OpR2T {
		n, at := p.DesiredLength(), p.BufferOffset()
		for sent, sn := 0, uint32(0); sent < int(n); sent, sn = sent+maxRecvSegment, sn+1 {
			part := min(maxRecvSegment, int(n)-sent)
			c.send(dataOut(1, p.TargetTag(), sn, int(at)+sent, sent+part == int(n)), make([]byte, part))
		}
		if int(at)+int(n) == scsi.MaxTransfer {
			break
		}
		p = c.expect(iscsi.OpR2T)
	}
	receive(t, s.under).finish(nil)
	for seen := 0; seen < 2; {
		switch p := c.next(); {
		case p.Opcode() == iscsi.OpSCSIResponse && p.InitiatorTag() == 1, p.Opcode() == iscsi.OpR2T && p.InitiatorTag() == 2:
			seen++
		case p.Opcode() != iscsi.OpNopIn:
			t.Fatalf("% x", []byte(p.Header))
		}
	}
}
