package target

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
)

func TestWritesOfEveryLengthArriveWhateverWasAgreed(t *testing.T) {
	for _, limits := range []iscsi.Limits{
		{},
		{MaxBurst: 512, FirstBurst: 512, MaxOutstandingR2T: 1},
		{MaxBurst: 4096, FirstBurst: 4096, MaxOutstandingR2T: 3, MaxSend: 1024},
		{MaxBurst: 65536, FirstBurst: 1024, MaxOutstandingR2T: 8, MaxRecv: 4096},
		{MaxBurst: 1 << 20, FirstBurst: 65536, MaxSend: 65536, Digests: iscsi.DigestsRequired},
	} {
		for _, n := range []int{512, 1024, 4096, 65536, 66048, 1 << 20, scsi.MaxTransfer} {
			if n/max(limits.MaxBurst, 1) > 2000 && limits.MaxBurst > 0 {
				continue
			}
			t.Run(fmt.Sprintf("burst %d first %d, %d bytes", limits.MaxBurst, limits.FirstBurst, n), func(t *testing.T) {
				r := newRig(t, overTCP)
				s := r.dial(func(o *initiator.Options) { o.Limits = limits })
				w := &initiator.Command{Out: pattern(make([]byte, n), n)}
				w.Write(5, uint32(n/blockSize), false)
				if err := s.Do(t.Context(), w); err != nil || w.Residual != 0 {
					t.Fatalf("%v, residual %d", err, w.Residual)
				}
				if !bytes.Equal(r.store.Content()[5*blockSize:][:n], w.Out) {
					t.Error("the store has something else")
				}
				c := &initiator.Command{In: make([]byte, n)}
				c.Read(5, uint32(n/blockSize))
				if err := s.Do(t.Context(), c); err != nil || !bytes.Equal(c.In, w.Out) {
					t.Errorf("read back: %v", err)
				}
			})
		}
	}
}

func TestManyWritesAtATimeArrive(t *testing.T) {
	r := newRig(t, overTCP)
	s := r.dial(func(o *initiator.Options) { o.Limits.MaxBurst = 16384 })
	const n, each = 64, 100 << 10
	done := make(chan *initiator.Command, n)
	for i := range n {
		w := &initiator.Command{Out: pattern(make([]byte, each), i), Done: func(c *initiator.Command) { done <- c }}
		w.Write(uint64(i*each/blockSize), each/blockSize, false)
		if err := s.Submit(w); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if err := receive(t, done).Failure(); err != nil {
			t.Fatal(err)
		}
	}
	content := r.store.Content()
	for i := range n {
		if !bytes.Equal(content[i*each:][:each], pattern(make([]byte, each), i)) {
			t.Errorf("write %d is not what was sent", i)
		}
	}
}

// Without immediate and unsolicited data everything is asked for, with as many R2Ts at a time as were agreed.
func TestR2TsAskForEverythingOnceAndInOrder(t *testing.T) {
	r := newRig(t)
	c := r.login("InitialR2T", "Yes", "ImmediateData", "No", "MaxBurstLength", "1024", "MaxOutstandingR2T", "3")
	c.ready()
	const n = 5120
	data := pattern(make([]byte, n), 3)
	c.send(c.write(7, 2, n), nil)
	answer := func(p pdu) { // in two PDUs
		at := int(p.BufferOffset())
		c.send(dataOut(7, p.TargetTag(), 0, at, false), data[at:at+512])
		c.send(dataOut(7, p.TargetTag(), 1, at+512, true), data[at+512:at+1024])
	}
	var open []pdu
	tags := map[uint32]bool{}
	for sn := range n / 1024 {
		p := c.expect(iscsi.OpR2T)
		if p.DataSN() != uint32(sn) || int(p.BufferOffset()) != sn*1024 || p.DesiredLength() != 1024 || p.InitiatorTag() != 7 || tags[p.TargetTag()] {
			t.Fatalf("R2T %d: % x", sn, []byte(p.Header))
		}
		tags[p.TargetTag()] = true
		if open = append(open, p); len(open) < 3 {
			continue
		}
		if before := c.ping(); len(before) > 0 {
			t.Fatalf("more than 3 R2Ts are outstanding")
		}
		answer(open[1]) // the order in which they are answered is the initiator's
		open = append(open[:1], open[2:]...)
	}
	for _, p := range open {
		answer(p)
	}
	p := c.expect(iscsi.OpSCSIResponse)
	if p.Status() != 0 || p.DataSN() != n/1024 || p.Flags() != iscsi.FlagFinal {
		t.Errorf("the response: % x", []byte(p.Header))
	}
	if !bytes.Equal(r.store.Content()[2*blockSize:][:n], data) {
		t.Error("the store has something else")
	}
}

func TestUnsolicitedDataFollowsTheImmediate(t *testing.T) {
	r := newRig(t)
	c := r.login("InitialR2T", "No", "FirstBurstLength", "4096")
	c.ready()
	data := pattern(make([]byte, 8192), 1)
	h := c.write(7, 0, len(data))
	h.SetFlags(iscsi.FlagWrite) // F is 0: more comes unasked
	c.send(h, data[:1024])
	c.send(dataOut(7, iscsi.ReservedTag, 0, 1024, false), data[1024:2048])
	if before := c.ping(); len(before) > 0 {
		t.Fatalf("%02x before the end of the first burst", before[0].Opcode())
	}
	c.send(dataOut(7, iscsi.ReservedTag, 1, 2048, true), data[2048:3072]) // shorter than it may be
	p := c.expect(iscsi.OpR2T)
	if p.BufferOffset() != 3072 || p.DesiredLength() != 5120 || p.DataSN() != 0 {
		t.Fatalf("% x", []byte(p.Header))
	}
	c.send(dataOut(7, p.TargetTag(), 0, 3072, true), data[3072:])
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0 || p.DataSN() != 1 {
		t.Errorf("% x", []byte(p.Header))
	}
	if !bytes.Equal(r.store.Content()[:8192], data) {
		t.Error("the store has something else")
	}
}

func TestDataAgainstWhatWasAgreedEndsTheConnectionAndWritesNothing(t *testing.T) {
	some := make([]byte, 1024)
	unsolicited := func(c *raw) {
		h := c.write(7, 0, 4096)
		h.SetFlags(iscsi.FlagWrite)
		c.send(h, some)
	}
	solicited := func(c *raw) uint32 {
		c.send(c.write(7, 0, 4096), nil)
		return c.expect(iscsi.OpR2T).TargetTag()
	}
	no := []string{"ImmediateData", "No"}
	free := []string{"InitialR2T", "No", "FirstBurstLength", "2048", "MaxBurstLength", "2048"}
	for name, x := range map[string]struct {
		agreed []string
		send   func(c *raw)
	}{
		"immediate data": {no, func(c *raw) { c.send(c.write(7, 0, 4096), some) }},
		"unsolicited data": {nil, func(c *raw) {
			c.send(c.write(7, 0, 4096), nil)
			c.send(dataOut(7, iscsi.ReservedTag, 0, 0, true), some)
		}},
		"announced with InitialR2T":        {nil, unsolicited},
		"more than expected":               {nil, func(c *raw) { c.send(c.write(7, 0, 512), some) }},
		"more than the first burst":        {free, func(c *raw) { c.send(c.write(7, 0, 4096), make([]byte, 2560)) }},
		"more than the first burst, later": {free, func(c *raw) { unsolicited(c); c.send(dataOut(7, iscsi.ReservedTag, 0, 1024, true), make([]byte, 1536)) }},
		"a gap in the first burst":         {free, func(c *raw) { unsolicited(c); c.send(dataOut(7, iscsi.ReservedTag, 0, 1536, true), some[:512]) }},
		"the same again":                   {free, func(c *raw) { unsolicited(c); c.send(dataOut(7, iscsi.ReservedTag, 0, 0, true), some) }},
		"after the first burst is over": {free, func(c *raw) {
			unsolicited(c)
			c.send(dataOut(7, iscsi.ReservedTag, 0, 1024, true), some[:512])
			c.send(dataOut(7, iscsi.ReservedTag, 1, 1536, true), some[:512])
		}},
		"an unknown target tag":             {nil, func(c *raw) { c.send(dataOut(7, solicited(c)+1, 0, 0, true), make([]byte, 4096)) }},
		"more than the R2T asked for":       {free, func(c *raw) { c.send(dataOut(7, solicited(c), 0, 0, true), make([]byte, 2560)) }},
		"less than the R2T asked for":       {free, func(c *raw) { c.send(dataOut(7, solicited(c), 0, 0, true), some) }},
		"no end where it is":                {free, func(c *raw) { c.send(dataOut(7, solicited(c), 0, 0, false), make([]byte, 2048)) }},
		"a wrong offset":                    {free, func(c *raw) { c.send(dataOut(7, solicited(c), 0, 512, true), make([]byte, 2048)) }},
		"an offset that wraps":              {free, func(c *raw) { c.send(dataOut(7, solicited(c), 0, -512, true), some[:512]) }},
		"data with a command that has none": {nil, func(c *raw) { c.send(c.request(iscsi.OpSCSICommand, 7), some) }},
		"data with a read":                  {nil, func(c *raw) { c.send(c.read(7, 0, 512), some) }},
		"a read that is not final":          {nil, func(c *raw) { h := c.read(7, 0, 512); h.SetFlags(iscsi.FlagRead); c.send(h, nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.login(x.agreed...)
			c.ready()
			copy(some, "not to be written")
			x.send(c)
			for _, p := range c.ends() {
				if p.Opcode() == iscsi.OpSCSIResponse {
					t.Errorf("it is answered: % x", []byte(p.Header))
				}
			}
			if !bytes.Equal(r.store.Content(), make([]byte, diskSize)) {
				t.Error("something was written")
			}
		})
	}
}

func TestDataOfAnEarlierBurstIsReadOver(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	c.send(dataOut(99, 5, 0, 0, true), make([]byte, 1024)) // of a task that never was, or is no more
	c.send(dataOut(99, iscsi.ReservedTag, 0, 0, true), make([]byte, 513))
	if before := c.ping(); len(before) > 0 {
		t.Errorf("it is answered: % x", []byte(before[0].Header))
	}
}

func TestAWriteBeyondTheLongestTransferIsRefusedWithoutItsData(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	h := c.write(7, 0, 0)
	h.SetExpectedLength(1 << 31)
	c.send(h, nil)
	asked := 0
	for p := c.next(); ; p = c.next() { // what is asked for is bounded
		if p.Opcode() == iscsi.OpSCSIResponse {
			if flag := p.Flags(); flag != iscsi.FlagFinal|iscsi.FlagUnderflow || p.Residual() != 1<<31 {
				t.Errorf("% x", []byte(p.Header))
			}
			break
		}
		n := int(p.DesiredLength())
		if asked += n; asked > scsi.MaxTransfer {
			t.Fatalf("%d bytes are asked for", asked)
		}
		for at, sn := 0, uint32(0); at < n; at, sn = at+maxRecvSegment, sn+1 {
			part := min(maxRecvSegment, n-at)
			c.send(dataOut(7, p.TargetTag(), sn, int(p.BufferOffset())+at, at+part == n), make([]byte, part))
		}
	}
}

// RFC 7143 7.9: a DataSN out of order means that a PDU was lost. The command ends when all its data has come, and the session goes on.
func TestALostDataPDUFailsItsCommandAlone(t *testing.T) {
	piece := []byte(strings.Repeat("not to be written ", 57)[:1024])
	for name, send := range map[string]func(c *raw){
		"unsolicited": func(c *raw) {
			h := c.write(7, 0, 4096)
			h.SetFlags(iscsi.FlagWrite)
			c.send(h, nil)
			c.send(dataOut(7, iscsi.ReservedTag, 1, 0, false), piece)
			c.send(dataOut(7, iscsi.ReservedTag, 2, 1024, true), piece)
		},
		"solicited": func(c *raw) {
			c.send(c.write(7, 0, 2048), nil)
			tag := c.expect(iscsi.OpR2T).TargetTag()
			c.send(dataOut(7, tag, 0, 0, false), piece)
			c.send(dataOut(7, tag, 0, 1024, true), piece)
		},
		"in the second burst": func(c *raw) {
			c.send(c.write(7, 0, 4096), nil)
			tag := c.expect(iscsi.OpR2T).TargetTag()
			c.send(dataOut(7, tag, 0, 0, true), append(piece, piece...))
			tag = c.expect(iscsi.OpR2T).TargetTag()
			c.send(dataOut(7, tag, 27, 2048, true), append(piece, piece...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c := r.login("InitialR2T", "No", "FirstBurstLength", "2048", "MaxBurstLength", "2048")
			c.ready()
			send(c)
			p := c.expect(iscsi.OpSCSIResponse)
			if sense := p.data; p.Status() != 0x02 || len(sense) < 16 || sense[2+2]&15 != 0x0b || sense[2+12] != 0x47 || sense[2+13] != 0x05 {
				t.Errorf("status %02Xh, sense % x", p.Status(), sense)
			}
			if !bytes.Equal(r.store.Content(), make([]byte, diskSize)) {
				t.Error("something was written")
			}
			c.ping()
		})
	}
}
