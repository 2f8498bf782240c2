package target

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

func TestDiscoveryTellsTargetsWithTheirAddresses(t *testing.T) {
	r := newRig(t)
	r.targets["iqn.longer-name.io.forebay:the-second-of-them"] = &Target{}
	list, err := initiator.Discover(t.Context(), r.options())
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	if list[0].Name != disk || !slices.Equal(list[0].Portals, []string{"192.0.2.1:3260", "[2001:db8::1]:3261"}) {
		t.Errorf("%+v", list[0])
	}
}

func TestALongListOfTargetsComesInPieces(t *testing.T) {
	r := newRig(t)
	for i := range 1000 {
		r.targets[fmt.Sprintf("iqn.2026-11.io.forebay:disk-%03d", i)] = &Target{}
	}
	list, err := initiator.Discover(t.Context(), r.options())
	if err != nil || len(list) != 1001 {
		t.Fatalf("%d targets, %v", len(list), err)
	}
	c := r.discoverer()
	h := c.text("SendTargets", "All")
	first := c.expect(iscsi.OpTextResp)
	if first.Final() || first.Flags()&iscsi.FlagContinue == 0 || first.TargetTag() == iscsi.ReservedTag || len(first.data) != 8192 {
		t.Fatalf("% x, %d bytes", []byte(first.Header), len(first.data))
	}
	h.SetTargetTag(first.TargetTag() + 1)
	c.send(h, nil)
	if p := c.expect(iscsi.OpReject); p.Response() != iscsi.RejectInvalidField {
		t.Errorf("another's tag: % x", []byte(p.Header))
	}
}

// discoverer returns a discovery session.
func (r *rig) discoverer() *raw {
	r.t.Helper()
	c := r.raw(false)
	if p := c.logIn("InitiatorName", client, "SessionType", "Discovery"); p.LoginStatus() != 0 {
		r.t.Fatalf("status %04x", p.LoginStatus())
	}
	return c
}

// text sends a text request.
func (c *raw) text(pairs ...string) iscsi.Header {
	c.t.Helper()
	h := c.immediate(iscsi.OpText, 0x7e)
	h.SetTargetTag(iscsi.ReservedTag)
	c.send(h, keys(pairs...))
	return h
}

func TestSendTargetsAnswersWhatTheSessionMayAsk(t *testing.T) {
	r := newRig(t)
	r.targets["iqn.2026-11.io.forebay:another"] = &Target{}
	both := disk + " iqn.2026-11.io.forebay:another"
	for name, x := range map[string]struct {
		discovery bool
		ask, want string
	}{
		"all in a discovery":               {true, "All", both},
		"one in a discovery":               {true, disk, disk},
		"one that there is not":            {true, "iqn.none", ""},
		"nothing in a discovery":           {true, "", "Reject"},
		"something odd":                    {true, "Some", "Reject"},
		"nothing in a session":             {false, "", disk},
		"its own target in a session":      {false, disk, disk},
		"another target in a session":      {false, "iqn.2026-11.io.forebay:another", ""},
		"all in a session is not answered": {false, "All", "Reject"},
	} {
		c := r.raw(false)
		if x.discovery {
			c.logIn("InitiatorName", client, "SessionType", "Discovery")
		} else {
			c.enter()
		}
		c.text("SendTargets", x.ask)
		p := c.expect(iscsi.OpTextResp)
		list, err := iscsi.ParseText(p.data)
		if err != nil || !p.Final() || p.TargetTag() != iscsi.ReservedTag || p.InitiatorTag() != 0x7e {
			t.Errorf("%s: %v, % x", name, err, []byte(p.Header))
		}
		got := map[string]bool{}
		for _, kv := range list {
			if kv.Key == "TargetName" || kv.Value == iscsi.Reject {
				got[kv.Value] = true
			}
		}
		want := strings.Fields(x.want)
		if slices.Sort(want); !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestADiscoverySessionHasNoCommands(t *testing.T) {
	r := newRig(t)
	c := r.discoverer()
	for _, h := range []iscsi.Header{c.read(1, 0, 512), c.manage(2, iscsi.TargetWarmReset, iscsi.ReservedTag), dataOut(3, 4, 0, 0, true)} {
		c.send(h, make([]byte, 512))
		if p := c.expect(iscsi.OpReject); p.Response() != iscsi.RejectNotSupported {
			t.Errorf("% x", []byte(p.Header))
		}
	}
	gap, early := c.request(iscsi.OpNopOut, 5), c.read(6, 0, 512)
	c.send(early, nil)
	c.send(gap, nil)
	if list := c.ping(); len(list) != 2 || list[1].Opcode() != iscsi.OpReject {
		t.Errorf("%d PDUs", len(list))
	}
	c.send(c.logout(iscsi.LogoutSession, 0), nil)
	c.expect(iscsi.OpLogoutResp)
}

func TestTextKeysOfTheFullFeaturePhase(t *testing.T) {
	r := newRig(t)
	c := r.login()
	c.ready()
	c.text("MaxRecvDataSegmentLength", "512", "MaxBurstLength", "4096", "X-a", "b", "InitiatorAlias", "me")
	got := values(t, c.expect(iscsi.OpTextResp).data)
	if len(got) != 2 || got["MaxBurstLength"] != iscsi.Reject || got["X-a"] != iscsi.NotUnderstood {
		t.Errorf("%v", got)
	}
	c.send(c.read(1, 0, 1024), nil)
	if p := c.expect(iscsi.OpDataIn); len(p.data) != 512 {
		t.Errorf("a segment of %d bytes", len(p.data))
	}
	c.expect(iscsi.OpDataIn)
	c.text("MaxRecvDataSegmentLength", "1")
	if got := values(t, c.expect(iscsi.OpTextResp).data); got["MaxRecvDataSegmentLength"] != iscsi.Reject {
		t.Errorf("%v", got)
	}
}

func TestTextThatIsWrongIsRejected(t *testing.T) {
	r := newRig(t)
	for name, send := range map[string]func(c *raw){
		"a key twice": func(c *raw) { c.text("SendTargets", "All", "SendTargets", "All") },
		"no end": func(c *raw) {
			h := c.immediate(iscsi.OpText, 1)
			h.SetTargetTag(iscsi.ReservedTag)
			c.send(h, []byte("SendTargets"))
		},
		"C with F": func(c *raw) {
			h := c.immediate(iscsi.OpText, 1)
			h.SetTargetTag(iscsi.ReservedTag)
			h.SetFlags(iscsi.FlagFinal | iscsi.FlagContinue)
			c.send(h, nil)
		},
		"nothing to go on with": func(c *raw) {
			h := c.immediate(iscsi.OpText, 1)
			h.SetTargetTag(5)
			c.send(h, nil)
		},
		"too much": func(c *raw) {
			h := c.immediate(iscsi.OpText, 1)
			h.SetTargetTag(iscsi.ReservedTag)
			h.SetFlags(iscsi.FlagContinue)
			c.send(h, make([]byte, iscsi.MaxText))
			h.SetTargetTag(c.expect(iscsi.OpTextResp).TargetTag())
			c.send(h, make([]byte, 1))
		},
	} {
		c := r.discoverer()
		send(c)
		if p := c.next(); p.Opcode() != iscsi.OpReject {
			t.Errorf("%s: % x", name, []byte(p.Header))
		}
		c.ping()
		c.net.Close()
	}
}

func TestATextRequestMayBeSpreadOverSeveralPDUs(t *testing.T) {
	r := newRig(t)
	c := r.discoverer()
	h := c.immediate(iscsi.OpText, 1)
	h.SetTargetTag(iscsi.ReservedTag)
	h.SetFlags(iscsi.FlagContinue)
	c.send(h, []byte("SendTar"))
	p := c.expect(iscsi.OpTextResp)
	if p.Final() || len(p.data) > 0 || p.TargetTag() == iscsi.ReservedTag {
		t.Fatalf("% x", []byte(p.Header))
	}
	h.SetTargetTag(p.TargetTag())
	h.SetFlags(iscsi.FlagFinal)
	c.send(h, []byte("gets=All\x00"))
	if p := c.expect(iscsi.OpTextResp); !p.Final() || values(t, p.data[:len(disk)+12])["TargetName"] != disk {
		t.Errorf("% x %q", []byte(p.Header), p.data)
	}
}
