package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/iscsi"
)

// values returns the value that each key has in an answer; a key that comes twice is an error.
func values(t testing.TB, text []byte) map[string]string {
	t.Helper()
	list, err := iscsi.ParseText(text)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, kv := range list {
		if _, twice := m[kv.Key]; twice {
			t.Errorf("%s comes twice", kv.Key)
		}
		m[kv.Key] = kv.Value
	}
	return m
}

func TestALoginAnswersEveryKeyAsChapter13Asks(t *testing.T) {
	offers := []struct{ key, good, answer, bad string }{
		{"HeaderDigest", "None,CRC32C", "None", "SHA"},
		{"DataDigest", "X-a,None", "None", ""},
		{"MaxConnections", "8", "1", "0"},
		{"InitialR2T", "No", "No", "Maybe"},
		{"ImmediateData", "Yes", "Yes", "yes"},
		{"MaxBurstLength", "16776192", "1048576", "511"},
		{"FirstBurstLength", "262144", "65536", "16777216"},
		{"DefaultTime2Wait", "2", "2", "3601"},
		{"DefaultTime2Retain", "20", "0", "-1"},
		{"MaxOutstandingR2T", "16", "8", "65536"},
		{"DataPDUInOrder", "No", "Yes", "0"},
		{"DataSequenceInOrder", "No", "Yes", "1"},
		{"ErrorRecoveryLevel", "2", "0", "3"},
		{"IFMarker", "Yes", "No", "x"},
		{"OFMarker", "No", "No", "x"},
		{"TaskReporting", "FastAbort,RFC3720", "RFC3720", "FastAbort"},
		{"iSCSIProtocolLevel", "2", "1", "32"},
		{"X-com.example", "1", iscsi.NotUnderstood, ""},
	}
	r := newRig(t)
	t.Run("good offers", func(t *testing.T) {
		list := []string{"InitiatorName", client, "TargetName", disk, "MaxRecvDataSegmentLength", "65536"}
		for _, o := range offers {
			list = append(list, o.key, o.good)
		}
		c := r.raw(false)
		got := values(t, c.logIn(list...).data)
		for _, o := range offers {
			if got[o.key] != o.answer {
				t.Errorf("%s=%s is answered %q, not %q", o.key, o.good, got[o.key], o.answer)
			}
		}
		for key, want := range map[string]string{"TargetPortalGroupTag": "1", "TargetAlias": "rig", "MaxRecvDataSegmentLength": "262144"} {
			if got[key] != want {
				t.Errorf("%s=%q is declared, not %q", key, got[key], want)
			}
		}
		c.ping()
	})
	t.Run("bad offers", func(t *testing.T) {
		list := []string{"InitiatorName", client, "TargetName", disk, "MaxRecvDataSegmentLength", "511"}
		for _, o := range offers {
			if o.bad != "" {
				list = append(list, o.key, o.bad)
			}
		}
		c := r.raw(false)
		got := values(t, c.logIn(list...).data) // the key that we reject is not declared as well
		for _, o := range offers {
			if o.bad != "" && got[o.key] != iscsi.Reject {
				t.Errorf("%s=%s is answered %q", o.key, o.bad, got[o.key])
			}
		}
		if got["MaxRecvDataSegmentLength"] != iscsi.Reject {
			t.Errorf("MaxRecvDataSegmentLength=511 is answered %q", got["MaxRecvDataSegmentLength"])
		}
		c.ping()
	})
	t.Run("what is ours to say", func(t *testing.T) {
		got := values(t, r.raw(false).logIn("InitiatorName", client, "TargetName", disk, "TargetAddress", "192.0.2.1", "TargetAlias", "x").data)
		if got["TargetAddress"] != iscsi.Reject || got["TargetAlias"] != iscsi.Reject {
			t.Errorf("%v", got)
		}
	})
}

func TestAnswersToOurAnswersAreNotAnswered(t *testing.T) {
	r := newRig(t)
	got := values(t, r.raw(false).logIn("InitiatorName", client, "TargetName", disk, "X-a", iscsi.NotUnderstood, "MaxBurstLength", iscsi.Reject).data)
	if len(got["X-a"])+len(got["MaxBurstLength"]) > 0 {
		t.Errorf("%v", got)
	}
}

// request is one login request of a state machine test.
type request struct {
	flags byte // T, C and the stages
	keys  []byte
	edit  func(h iscsi.Header)
}

func direct(flags byte, pairs ...string) request { return request{flags: flags, keys: keys(pairs...)} }

const (
	toFull      = iscsi.FlagFinal | byte(iscsi.StageOperational)<<2 | byte(iscsi.StageFullFeature)
	operational = byte(iscsi.StageOperational) << 2
	toOperation = iscsi.FlagFinal | byte(iscsi.StageOperational)
	security    = 0
)

// play runs login requests, and returns the status of the last and its answer.
func play(l *login, requests ...request) (uint16, loginReply) {
	for i, r := range requests {
		h := make(iscsi.Header, iscsi.HeaderLength)
		h.SetOpcode(iscsi.OpLogin)
		h.SetFlags(r.flags)
		h.SetInitiatorTag(7)
		if r.edit != nil {
			r.edit(h)
		}
		reply, err := l.step(h, r.keys)
		var failed *loginError
		if errors.As(err, &failed) {
			return failed.status, reply
		}
		if i == len(requests)-1 {
			return iscsi.LoginSuccess, reply
		}
	}
	panic("no requests")
}

func TestALoginThatIsWrongIsRefusedWithTheReason(t *testing.T) {
	who := []string{"InitiatorName", client, "TargetName", disk}
	first := direct(operational, who...)
	many := make([]request, maxLoginRequests+1)
	for i := range many {
		many[i] = direct(operational)
	}
	many[0] = first
	var crowd []string
	for i := range 200 {
		crowd = append(crowd, fmt.Sprintf("X-%060d", i), "1")
	}
	for name, c := range map[string]struct {
		want     uint16
		requests []request
	}{
		"no initiator":              {iscsi.LoginMissingParameter, []request{direct(toFull, "TargetName", disk)}},
		"no target":                 {iscsi.LoginMissingParameter, []request{direct(toFull, "InitiatorName", client)}},
		"an unknown target":         {iscsi.LoginNotFound, []request{direct(toFull, "InitiatorName", client, "TargetName", "iqn.none")}},
		"not on the list":           {iscsi.LoginForbidden, []request{direct(toFull, "InitiatorName", client, "TargetName", "iqn.private")}},
		"a session of another type": {iscsi.LoginSessionType, []request{direct(toFull, append(who, "SessionType", "Odd")...)}},
		"a long name":               {iscsi.LoginInitiatorError, []request{direct(toFull, "InitiatorName", strings.Repeat("a", 224), "TargetName", disk)}},
		"a name with a space":       {iscsi.LoginInitiatorError, []request{direct(toFull, "InitiatorName", "a b", "TargetName", disk)}},
		"a later version":           {iscsi.LoginVersion, []request{{toFull, keys(who...), func(h iscsi.Header) { h[3] = 1 }}}},
		"text without an end":       {iscsi.LoginInitiatorError, []request{{toFull, []byte("InitiatorName=a"), nil}}},
		"a key twice":               {iscsi.LoginInitiatorError, []request{direct(toFull, append(who, "InitialR2T", "No", "InitialR2T", "No")...)}},
		"a key again later":         {iscsi.LoginInitiatorError, []request{direct(operational, append(who, "InitialR2T", "No")...), direct(toFull, "InitialR2T", "No")}},
		"a full phase at once":      {iscsi.LoginInitiatorError, []request{direct(byte(iscsi.StageFullFeature)<<2, who...)}},
		"the reserved stage":        {iscsi.LoginInitiatorError, []request{direct(iscsi.FlagFinal|operational|2, who...)}},
		"a step back":               {iscsi.LoginInitiatorError, []request{direct(iscsi.FlagFinal|operational, who...)}},
		"a step on the spot":        {iscsi.LoginInitiatorError, []request{direct(iscsi.FlagFinal|operational|1, who...)}},
		"another stage":             {iscsi.LoginInitiatorError, []request{first, direct(security)}},
		"T with C":                  {iscsi.LoginInitiatorError, []request{direct(toFull|iscsi.FlagContinue, who...)}},
		"another tag":               {iscsi.LoginInitiatorError, []request{first, {toFull, nil, func(h iscsi.Header) { h.SetInitiatorTag(8) }}}},
		"another connection":        {iscsi.LoginInitiatorError, []request{first, {toFull, nil, func(h iscsi.Header) { h[21] = 1 }}}},
		"another ISID":              {iscsi.LoginInitiatorError, []request{first, {toFull, nil, func(h iscsi.Header) { h[9] = 1 }}}},
		"another request":           {iscsi.LoginInvalidRequest, []request{first, {toFull, nil, func(h iscsi.Header) { h.SetOpcode(iscsi.OpNopOut) }}}},
		"no end":                    {iscsi.LoginInitiatorError, many},
		"more answers than fit":     {iscsi.LoginInitiatorError, []request{direct(toFull, append(who, crowd...)...)}},
		"more text than we take": {iscsi.LoginInitiatorError, []request{
			{operational | iscsi.FlagContinue, make([]byte, iscsi.MaxText), nil}, {operational | iscsi.FlagContinue, make([]byte, 1), nil}}},
		"CHAP for a target without": {iscsi.LoginAuthentication, []request{direct(security, append(who, "AuthMethod", "CHAP")...)}},
	} {
		private := &Target{Name: "iqn.private", Allowed: func(string) bool { return false }}
		l := newLogin(targets{disk: {Name: disk}, "iqn.private": private}, "")
		if got, _ := play(l, c.requests...); got != c.want {
			t.Errorf("%s: status %04x instead of %04x", name, got, c.want)
		}
	}
}

// libiscsi introduces itself once more in the operational stage when it has offered CHAP and the target asks for none, as in every discovery.
func TestAnInitiatorMayIntroduceItselfTwiceButNotAsAnother(t *testing.T) {
	r := newRig(t)
	for _, who := range [][]string{
		{"InitiatorName", client, "InitiatorAlias", "host", "TargetName", disk, "SessionType", "Normal"},
		{"InitiatorName", client, "SessionType", "Discovery"},
	} {
		first := direct(toOperation, append(slices.Clone(who), "AuthMethod", "CHAP,None")...)
		if status, reply := play(newLogin(r.targets, ""), first, direct(toFull, who...)); status != iscsi.LoginSuccess || !reply.transit {
			t.Errorf("%v: status %04x", who, status)
		}
		if status, _ := play(newLogin(r.targets, ""), first, direct(toFull, "InitiatorName", "iqn.other")); status != iscsi.LoginInitiatorError {
			t.Errorf("%v, and then another: status %04x", who, status)
		}
	}
}

func TestARefusedLoginIsToldAndTheConnectionEnds(t *testing.T) {
	r := newRig(t, overTCP)
	c := r.raw(false)
	answer := c.logIn("InitiatorName", client, "TargetName", "iqn.none")
	if answer.LoginStatus() != iscsi.LoginNotFound || answer.Final() || answer.StatSN() != 0 {
		t.Errorf("% x", []byte(answer.Header))
	}
	if more := c.ends(); len(more) > 0 {
		t.Errorf("%d PDUs after it", len(more))
	}
}

func TestALoginMayBeSpreadOverSeveralPDUs(t *testing.T) {
	r := newRig(t)
	c := r.raw(false)
	text := keys("InitiatorName", client, "TargetName", disk, "MaxBurstLength", "4096")
	for _, part := range [][]byte{text[:10], text[10:40]} {
		h := c.loginRequest(iscsi.StageOperational, 0)
		h.SetFlags(iscsi.FlagContinue | operational)
		c.send(h, part)
		if p := c.expect(iscsi.OpLoginResp); p.Final() || len(p.data) > 0 || p.LoginStatus() != iscsi.LoginSuccess {
			t.Fatalf("% x %q", []byte(p.Header), p.data)
		}
	}
	c.send(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), text[40:])
	p := c.expect(iscsi.OpLoginResp)
	if got := values(t, p.data); !p.Final() || got["MaxBurstLength"] != "4096" {
		t.Errorf("% x %v", []byte(p.Header), got)
	}
	c.ping()
}

func TestALoginMayGoThroughAllStages(t *testing.T) {
	l := newLogin(targets{disk: {Name: disk}}, "")
	status, reply := play(l, direct(toOperation, "InitiatorName", client, "TargetName", disk, "AuthMethod", "CHAP,None"))
	if status != 0 || !reply.transit || reply.stage != iscsi.StageSecurity || reply.next != iscsi.StageOperational || reply.keys[0].Value != "None" {
		t.Fatalf("status %04x, %+v", status, reply)
	}
	if status, reply = play(l, direct(operational, "InitialR2T", "No")); status != 0 || reply.transit || l.done() {
		t.Fatalf("status %04x, %+v", status, reply)
	}
	if status, reply = play(l, direct(toFull)); status != 0 || !reply.transit || !l.done() {
		t.Fatalf("status %04x, %+v", status, reply)
	}
}

func TestLoginAnswersNumberThemselvesAndOpenTheWindow(t *testing.T) {
	r := newRig(t, func(_ *rig, s *setup) { s.Limits.Commands = 10 })
	c := r.raw(false)
	c.send(c.loginRequest(iscsi.StageSecurity, iscsi.StageOperational), keys("InitiatorName", client, "TargetName", disk, "AuthMethod", "None"))
	first := c.expect(iscsi.OpLoginResp)
	c.send(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), nil)
	last := c.expect(iscsi.OpLoginResp)
	if first.TSIH() != 0 || last.TSIH() == 0 {
		t.Errorf("TSIH %d, then %d", first.TSIH(), last.TSIH())
	}
	if last.StatSN() != first.StatSN()+1 || last.ExpCmdSN() != 100 || last.MaxCmdSN() != 109 || string(last.ISID()) != "\x80\x01\x02\x03\x04\x05" {
		t.Errorf("% x", []byte(last.Header))
	}
	if p := values(t, first.data); p["TargetPortalGroupTag"] != "1" {
		t.Errorf("the first answer has no portal group tag: %v", p)
	}
}

func TestTheFirstBurstIsNotLongerThanABurst(t *testing.T) {
	l := newLogin(targets{disk: {Name: disk}}, "")
	play(l, direct(toFull, "InitiatorName", client, "TargetName", disk, "FirstBurstLength", "65536", "MaxBurstLength", "8192"))
	if l.params.FirstBurst != 8192 || l.params.MaxBurst != 8192 {
		t.Errorf("%+v", l.params)
	}
}
