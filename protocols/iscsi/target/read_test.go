package target

import (
	"bytes"
	"fmt"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
)

// fill writes a pattern to the whole store.
func (r *rig) fill() []byte {
	content := pattern(make([]byte, diskSize), 5)
	_ = r.store.Write(r.t.Context(), content, 0, false)
	return content
}

func TestReadsOfEveryLengthComeWhateverWasAgreed(t *testing.T) {
	for _, cold := range []bool{false, true} {
		for _, limits := range []iscsi.Limits{{}, {MaxRecv: 512}, {MaxRecv: 4096, MaxBurst: 10240}, {MaxRecv: 1 << 20, Digests: iscsi.DigestsRequired}} {
			t.Run(fmt.Sprintf("segment %d burst %d, cold %t", limits.MaxRecv, limits.MaxBurst, cold), func(t *testing.T) {
				r := newRig(t, overTCP)
				r.store.Cold = cold
				content := r.fill()
				s := r.dial(func(o *initiator.Options) { o.Limits = limits })
				for _, n := range []int{512, 4096, 65536, 66048, 1 << 20, scsi.MaxTransfer} {
					c := &initiator.Command{In: make([]byte, n)}
					c.Read(7, uint32(n/blockSize))
					if err := s.Do(t.Context(), c); err != nil || c.Residual != 0 || !bytes.Equal(c.In, content[7*blockSize:][:n]) {
						t.Errorf("%d bytes: %v, residual %d", n, err, c.Residual)
					}
				}
			})
		}
	}
}

func TestDataInComesInBurstsAndTheLastPDUCarriesTheStatus(t *testing.T) {
	r := newRig(t)
	content := r.fill()
	c := r.login("MaxRecvDataSegmentLength", "1024", "MaxBurstLength", "2560")
	c.ready()
	const n = 6144
	c.send(c.read(7, 0, n), nil)
	at := 0
	for sn := 0; at < n; sn++ {
		p := c.expect(iscsi.OpDataIn)
		if int(p.BufferOffset()) != at || int(p.DataSN()) != sn || p.InitiatorTag() != 7 || p.TargetTag() != iscsi.ReservedTag || !bytes.Equal(p.data, content[at:at+len(p.data)]) {
			t.Fatalf("Data-In %d at %d: % x", sn, at, []byte(p.Header))
		}
		at += len(p.data)
		want := byte(0)
		switch {
		case at == n:
			want = iscsi.FlagFinal | iscsi.FlagStatus
		case at%2560 == 0:
			want = iscsi.FlagFinal
		}
		if p.Flags() != want || len(p.data) > 1024 || (at-1)/2560 != (at-len(p.data))/2560 {
			t.Errorf("Data-In up to %d has flags %02x", at, p.Flags())
		}
	}
}

func TestResidualsSayWhatWasNotTransferred(t *testing.T) {
	const under, over = iscsi.FlagUnderflow, iscsi.FlagOverflow
	inquiry := func(c *raw, allocation int) iscsi.Header {
		h := c.request(iscsi.OpSCSICommand, 7)
		h.SetFlags(iscsi.FlagFinal | iscsi.FlagRead)
		copy(h.CDB(), []byte{0x12, 0, 0, byte(allocation >> 8), byte(allocation), 0})
		return h
	}
	expecting := func(h iscsi.Header, n int) iscsi.Header {
		h.SetExpectedLength(uint32(n))
		return h
	}
	for _, cold := range []bool{false, true} {
		for name, x := range map[string]struct {
			command  func(c *raw) iscsi.Header
			data     int // bytes sent along
			status   byte
			came     int
			flag     byte
			residual uint32
		}{
			"a read":                {func(c *raw) iscsi.Header { return c.read(7, 0, 1024) }, 0, 0, 1024, 0, 0},
			"a read with less room": {func(c *raw) iscsi.Header { return expecting(c.read(7, 0, 1024), 600) }, 0, 0, 600, over, 424},
			"a read with no room":   {func(c *raw) iscsi.Header { return expecting(c.read(7, 0, 1024), 0) }, 0, 0, 0, over, 1024},
			"a read with more room": {func(c *raw) iscsi.Header { return expecting(c.read(7, 0, 1024), 4096) }, 0, 0, 1024, under, 3072},
			"a read of nothing":     {func(c *raw) iscsi.Header { return expecting(c.read(7, 0, 0), 512) }, 0, 0, 0, under, 512},
			"a read beyond the end": {func(c *raw) iscsi.Header { return c.read(7, diskSize/blockSize, 1024) }, 0, 2, 0, under, 1024},
			"a read that is sent as a write": {func(c *raw) iscsi.Header {
				h := c.read(7, 0, 512)
				h.SetFlags(iscsi.FlagFinal | iscsi.FlagWrite)
				return h
			}, 512, 0, 0, 0, 0},
			"a write":                   {func(c *raw) iscsi.Header { return c.write(7, 0, 1024) }, 1024, 0, 0, 0, 0},
			"a write that brings more":  {func(c *raw) iscsi.Header { return expecting(c.write(7, 0, 512), 1024) }, 1024, 0, 0, under, 512},
			"a write that brings less":  {func(c *raw) iscsi.Header { return expecting(c.write(7, 0, 1024), 100) }, 100, 2, 0, over, 924},
			"a write beyond the end":    {func(c *raw) iscsi.Header { return c.write(7, diskSize/blockSize, 512) }, 512, 2, 0, under, 512},
			"an inquiry with more room": {func(c *raw) iscsi.Header { return expecting(inquiry(c, 20), 255) }, 0, 0, 20, under, 235},
			"an inquiry that is cut":    {func(c *raw) iscsi.Header { return expecting(inquiry(c, 36), 36) }, 0, 0, 36, 0, 0},
			"an inquiry with less room": {func(c *raw) iscsi.Header { return expecting(inquiry(c, 36), 5) }, 0, 0, 5, over, 31},
			"nothing":                   {func(c *raw) iscsi.Header { return c.request(iscsi.OpSCSICommand, 7) }, 0, 0, 0, 0, 0},
			"nothing, where something is awaited": {func(c *raw) iscsi.Header {
				h := c.request(iscsi.OpSCSICommand, 7)
				h.SetFlags(iscsi.FlagFinal | iscsi.FlagRead)
				return expecting(h, 512)
			}, 0, 0, 0, under, 512},
		} {
			t.Run(fmt.Sprintf("%s, cold %t", name, cold), func(t *testing.T) {
				r := newRig(t)
				r.store.Cold = cold
				c := r.login()
				c.ready()
				c.send(x.command(c), make([]byte, x.data))
				came := 0
				p := c.next()
				for ; p.Opcode() == iscsi.OpDataIn && p.Flags()&iscsi.FlagStatus == 0; p = c.next() {
					came += len(p.data)
				}
				if p.Opcode() == iscsi.OpDataIn {
					came += len(p.data)
				}
				flag := p.Flags() & (under | over)
				if p.Status() != x.status || came != x.came || flag != x.flag || flag != 0 && p.Residual() != x.residual || flag == 0 && p.Residual() != 0 {
					t.Errorf("status %02x, %d bytes, flags %02x, residual %d", p.Status(), came, p.Flags(), p.Residual())
				}
			})
		}
	}
}

func TestSenseDataComesWithItsLength(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	c.send(c.read(7, diskSize/blockSize, 512), nil)
	p := c.expect(iscsi.OpSCSIResponse)
	if n := len(p.data); n < 2 || int(p.data[0])<<8|int(p.data[1]) != n-2 || p.data[4] != 0x05 || p.data[14] != 0x21 {
		t.Errorf("% x", p.data)
	}
	if p.DataSN() != 0 || p.Response() != 0 {
		t.Errorf("% x", []byte(p.Header))
	}
}

func TestEveryUnitIsReachedByItsNumber(t *testing.T) {
	r := newRig(t)
	other := newUnit(r.store)
	other.SetReady(false)
	devices := map[uint64]scsi.Device{0: r.unit, 300: other}
	r.targets["iqn.two"] = &Target{Name: "iqn.two", LUNs: func() map[uint64]scsi.Device { return devices }}
	s := r.dial(func(o *initiator.Options) { o.Target = "iqn.two" })
	if err := s.Ready(t.Context(), 300); err == nil {
		t.Error("the other unit is ready")
	}
	c := &initiator.Command{LUN: 9, In: make([]byte, 512)}
	c.Read(0, 1)
	if err := s.Do(t.Context(), c); err == nil || c.Status != 2 || c.Sense[12] != 0x25 {
		t.Errorf("no unit: %v, % x", err, c.Sense)
	}
	list := &initiator.Command{In: make([]byte, 64), CDB: [16]byte{0: 0xa0, 9: 64}}
	want := append([]byte{0, 0, 0, 16, 0, 0, 0, 0}, append(scsi.EncodeLUN(0), scsi.EncodeLUN(300)...)...)
	if err := s.Do(t.Context(), list); err != nil || !bytes.Equal(list.In[:24], want) || list.Residual != 40 {
		t.Errorf("REPORT LUNS: %v, % x", err, list.In[:24])
	}
}
