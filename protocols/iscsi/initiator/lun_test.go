package initiator_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALUNIsAskedForWhatItTells(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Vital = map[byte][]byte{
		0x83: unhex(t, "00 83 0020 01 03 00 08 5011223344556677 51 94 00 04 00000003 51 95 00 04 0000000a"),
		0xb0: unhex(t, "00 b0 000c 01 00 0010 00002000 00000800"),
		0xb2: unhex(t, "00 b2 0004 00 80 00 00"),
	}
	x.Mode = unhex(t, "17 00 90 00 08 12 04")
	x.PortGroups = unhex(t, "0000000c 81 8f 000a 00 00 00 01 0000 0003")
	s := dial(t, x, nil)
	if p, err := s.Provisioning(t.Context(), 0); err != nil || p != (initiator.Provisioning{MaxTransfer: 0x2000, Unmap: true, WSNZ: true}) {
		t.Errorf("provisioning: %+v, %v", p, err)
	}
	if d, err := s.Designators(t.Context(), 0); err != nil || d != (initiator.Designators{Name: "naa.5011223344556677", PortGroup: 10, RelativePort: 3}) {
		t.Errorf("designators: %+v, %v", d, err)
	}
	if c, err := s.Caching(t.Context(), 0); err != nil || c != (initiator.Caching{WriteCache: true, FUA: true, ReadOnly: true}) {
		t.Errorf("caching: %+v, %v", c, err)
	}
	g, err := s.PortGroups(t.Context(), 0)
	if err != nil || len(g) != 1 || g[0].ID != 10 || g[0].State != initiator.NonOptimized || !g[0].Preferred || g[0].Ports[0] != 3 {
		t.Errorf("port groups: %+v, %v", g, err)
	}
}

func TestALUNThatTellsNothingIsNoError(t *testing.T) {
	s := dial(t, initiatortest.New(t, 1<<20), nil)
	if p, err := s.Provisioning(t.Context(), 0); err != nil || p != (initiator.Provisioning{}) {
		t.Errorf("provisioning: %+v, %v", p, err)
	}
	if d, err := s.Designators(t.Context(), 0); err != nil || d != (initiator.Designators{}) {
		t.Errorf("designators: %+v, %v", d, err)
	}
	if c, err := s.Caching(t.Context(), 0); err != nil || c != (initiator.Caching{WriteCache: true}) {
		t.Errorf("caching: %+v, %v", c, err)
	}
	if g, err := s.PortGroups(t.Context(), 0); err != nil || g != nil {
		t.Errorf("port groups: %+v, %v", g, err)
	}
}

// What the questions have in common: how they end when the LUN does not answer them.
func TestQuestionsPassOnWhatTheLUNSays(t *testing.T) {
	sense := func(key, asc, ascq byte) []byte {
		return []byte{0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0}
	}
	questions := map[string]func(ctx context.Context, s *initiator.Session) error{
		"provisioning": func(ctx context.Context, s *initiator.Session) error { _, err := s.Provisioning(ctx, 0); return err },
		"designators":  func(ctx context.Context, s *initiator.Session) error { _, err := s.Designators(ctx, 0); return err },
		"caching":      func(ctx context.Context, s *initiator.Session) error { _, err := s.Caching(ctx, 0); return err },
		"port groups":  func(ctx context.Context, s *initiator.Session) error { _, err := s.PortGroups(ctx, 0); return err },
		"keys":         func(ctx context.Context, s *initiator.Session) error { _, err := s.ReadKeys(ctx, 0); return err },
		"reservation":  func(ctx context.Context, s *initiator.Session) error { _, err := s.ReadReservation(ctx, 0); return err },
		"register":     func(ctx context.Context, s *initiator.Session) error { return s.Register(ctx, 0, 0, 1, false) },
		"capacity":     func(ctx context.Context, s *initiator.Session) error { _, err := s.Capacity(ctx, 0); return err },
	}
	for name, ask := range questions {
		for what, c := range map[string]struct {
			status byte
			sense  []byte
			is     func(error) bool
		}{
			"busy":          {initiator.StatusBusy, nil, initiator.IsBusy},
			"task set full": {initiator.StatusTaskSetFull, nil, initiator.IsBusy},
			"conflict":      {initiator.StatusReservationConflict, nil, initiator.IsReservationConflict},
			"not ready": {initiator.StatusCheckCondition, sense(initiator.SenseNotReady, 4, 1), func(err error) bool {
				var e *initiator.StatusError
				return errors.As(err, &e) && e.Key == initiator.SenseNotReady && e.ASC == 4 && e.ASCQ == 1
			}},
			"no such LUN": {initiator.StatusCheckCondition, sense(initiator.SenseIllegal, 0x25, 0), func(err error) bool {
				return err != nil && !initiator.IsUnsupported(err)
			}},
			"attentions without end": {initiator.StatusCheckCondition, sense(initiator.SenseUnitAttention, 0x29, 0), initiator.IsUnitAttention},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				x := initiatortest.New(t, 1<<20)
				x.Intercept = func(conn *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
					if h.Opcode() == iscsi.OpSCSICommand {
						conn.Status(h, c.status, c.sense)
						return true
					}
					return false
				}
				if err := ask(t.Context(), dial(t, x, nil)); !c.is(err) {
					t.Errorf("it ended with %v", err)
				}
			})
		}
	}
}

func TestAttentionsThatAQuestionMeetsAreToldOn(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	codes := []byte{0x29, 0x2a}
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand || len(codes) == 0 {
			return false
		}
		c.Status(h, initiator.StatusCheckCondition, []byte{0x72, initiator.SenseUnitAttention, codes[0], 9})
		codes = codes[1:]
		return true
	}
	var heard []initiator.StatusError
	s := dial(t, x, func(o *initiator.Options) {
		o.Attention = func(lun uint16, e *initiator.StatusError) {
			if lun != 5 {
				t.Errorf("LUN %d", lun)
			}
			heard = append(heard, *e)
		}
	})
	if _, err := s.Capacity(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 2 || heard[0].ASC != 0x29 || heard[1].ASC != 0x2a || heard[1].ASCQ != 9 {
		t.Errorf("heard of %+v", heard)
	}
}

func TestACapacityThatIsCutOffIsAnError(t *testing.T) {
	for n := range 32 {
		x := initiatortest.New(t, 1<<20)
		x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
			if h.Opcode() != iscsi.OpSCSICommand {
				return false
			}
			p := unhex(t, "00000000000007ff 00000200 00 03 c000 00000000 00000000 00000000 00000000")
			c.SendData(h, p[:n])
			return true
		}
		c, err := dial(t, x, nil).Capacity(t.Context(), 0)
		if want := (initiator.Capacity{Blocks: 2048, BlockSize: 512, Thin: true, ReadsZeroes: true, BlocksPerPhy: 8}); n < 16 != (err != nil) || err == nil && c != want {
			t.Errorf("%d bytes: %+v, %v", n, c, err)
		}
	}
}

func TestACapacityThatHasNoSizeInBytesIsAnError(t *testing.T) {
	for last, fits := range map[string]bool{"003ffffffffffffe": true, "003fffffffffffff": false, "ffffffffffffffff": false} {
		x := initiatortest.New(t, 1<<20)
		x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
			if h.Opcode() != iscsi.OpSCSICommand {
				return false
			}
			c.SendData(h, append(unhex(t, last+" 00000200"), make([]byte, 20)...))
			return true
		}
		if c, err := dial(t, x, nil).Capacity(t.Context(), 0); fits != (err == nil) || c.Size() < 0 {
			t.Errorf("last block %s: %d bytes, %v", last, c.Size(), err)
		}
	}
}

func TestARecoveredErrorIsASuccessUnlessItIsDeferred(t *testing.T) {
	for what, c := range map[string]struct {
		sense []byte
		asked int
	}{
		"fixed":                  {[]byte{0x70, 0, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x5d, 0, 0, 0, 0, 0}, 1},
		"descriptors":            {[]byte{0x72, 1, 0x5d, 0}, 1},
		"fixed, deferred":        {[]byte{0x71, 0, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x5d, 0, 0, 0, 0, 0}, 2},
		"descriptors, deferred":  {[]byte{0x73, 1, 0x5d, 0}, 2},
		"a deferred write error": {[]byte{0x71, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x0c, 0, 0, 0, 0, 0}, 2},
	} {
		x := initiatortest.New(t, 1<<20)
		asked := 0
		x.Intercept = func(conn *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
			if h.Opcode() != iscsi.OpSCSICommand {
				return false
			}
			if asked++; asked > 1 {
				return false
			}
			conn.Status(h, initiator.StatusCheckCondition, c.sense)
			return true
		}
		if err := dial(t, x, nil).Ready(t.Context(), 0); err != nil || asked != c.asked {
			t.Errorf("%s: %v after %d questions, want %d", what, err, asked, c.asked)
		}
	}
}

func TestSpaceIsGivenBackAndZeroed(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Strict = true // lists come when they are asked for
	s := dial(t, x, nil)
	x.Change(func(memory []byte) { copy(memory, bytes.Repeat([]byte{7}, 100*initiatortest.BlockSize)) })
	var c initiator.Command
	for _, change := range []func(){
		func() { c.Unmap([]initiator.Extent{{LBA: 1, Blocks: 2}, {LBA: 10, Blocks: 1}}) },
		func() { c.WriteZeroes(20, 5, true, make([]byte, initiatortest.BlockSize)) },
		c.Flush,
	} {
		change()
		if err := s.Do(t.Context(), &c); err != nil {
			t.Error(err)
		}
	}
	c.Unmap(nil)
	if err := s.Do(t.Context(), &c); err != nil {
		t.Errorf("unmapping nothing: %v", err)
	}
	x.Change(func(memory []byte) {
		for block := range 100 {
			zero := block == 1 || block == 2 || block == 10 || block >= 20 && block < 25
			if got := memory[block*initiatortest.BlockSize] == 0; got != zero {
				t.Errorf("block %d is zero: %v", block, got)
			}
		}
	})
}

func TestALUNThatTellsAllModePagesOrNoneIsAskedForAll(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Mode = unhex(t, "17 00 80 00 08 12 00")
	x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() != iscsi.OpSCSICommand || h.CDB()[2] == 0x3f {
			return false
		}
		c.Status(h, initiator.StatusCheckCondition, []byte{0x72, initiator.SenseIllegal, 0x24, 0})
		return true
	}
	if c, err := dial(t, x, nil).Caching(t.Context(), 0); err != nil || c != (initiator.Caching{ReadOnly: true}) {
		t.Errorf("%+v, %v", c, err)
	}
}
