package target

import (
	"strconv"
	"strings"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

var secrets = iscsi.Credentials{User: "host", Secret: "a secret of hosts", MutualUser: "disk", MutualSecret: "a secret of disks"}

func withCHAP(c iscsi.Credentials) func(r *rig, s *setup) {
	return func(r *rig, s *setup) { r.targets[disk].CHAP = &c }
}

func TestCHAPLetsInWhoKnowsTheSecret(t *testing.T) {
	oneWay := iscsi.Credentials{User: secrets.User, Secret: secrets.Secret}
	for name, c := range map[string]struct {
		target, host iscsi.Credentials
		want         string // of the refusal
	}{
		"one-way":                       {oneWay, oneWay, ""},
		"one-way at a mutual target":    {secrets, oneWay, ""},
		"mutual":                        {secrets, secrets, ""},
		"wrong secret":                  {oneWay, iscsi.Credentials{User: secrets.User, Secret: "a guess"}, "authentication failed"},
		"wrong user":                    {oneWay, iscsi.Credentials{User: "other", Secret: secrets.Secret}, "authentication failed"},
		"wrong secret, mutual":          {secrets, iscsi.Credentials{User: "host", Secret: "x", MutualUser: "disk", MutualSecret: secrets.MutualSecret}, "authentication failed"},
		"nothing":                       {oneWay, iscsi.Credentials{}, "authentication failed"},
		"mutual at a one-way target":    {oneWay, secrets, "authentication failed"},
		"an impostor is found out":      {iscsi.Credentials{User: "host", Secret: secrets.Secret, MutualUser: "disk", MutualSecret: "x"}, secrets, "authentication of the target failed"},
		"no target without its secrets": {iscsi.Credentials{User: "host", Secret: "same", MutualUser: "disk", MutualSecret: "same"}, iscsi.Credentials{User: "host", Secret: "same", MutualUser: "disk", MutualSecret: "other"}, "authentication failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withCHAP(c.target))
			s, err := initiator.Dial(t.Context(), r.options(func(o *initiator.Options) { o.CHAP = c.host }))
			if err == nil {
				defer s.Abandon()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// atCHAP returns a login at a target with secrets whose method is chosen, and the challenge that it will send.
func atCHAP(t *testing.T) (*login, iscsi.Challenge) {
	challenge := iscsi.Challenge{ID: 9, Value: []byte("0123456789abcdef")}
	l := newLogin(targets{disk: {Name: disk, CHAP: &secrets}}, "")
	l.challenge = func() iscsi.Challenge { return challenge }
	if status, reply := play(l, direct(security, "InitiatorName", client, "TargetName", disk, "AuthMethod", "KRB5,CHAP,None")); status != 0 || reply.keys[0].Value != "CHAP" {
		t.Fatalf("status %04x, %v", status, reply.keys)
	}
	return l, challenge
}

// proof answers a challenge as the host does.
func proof(c iscsi.Challenge, algorithm string, more ...string) []string {
	return append([]string{"CHAP_N", secrets.User, "CHAP_R", iscsi.FormatBinary(c.Response(algorithm, secrets.Secret))}, more...)
}

func TestCHAPTakesTheFirstAlgorithmThatItKnows(t *testing.T) {
	for offer, want := range map[string]string{"5": "5", "7": "7", "6,7,5": "7", "5,7": "5"} {
		l, challenge := atCHAP(t)
		status, reply := play(l, direct(security, "CHAP_A", offer))
		want := []iscsi.KeyValue{{Key: "CHAP_A", Value: want}, {Key: "CHAP_I", Value: "9"}, {Key: "CHAP_C", Value: iscsi.FormatBinary(challenge.Value)}}
		if status != 0 || len(reply.keys) < 3 || reply.keys[0] != want[0] || reply.keys[1] != want[1] || reply.keys[2] != want[2] {
			t.Errorf("%s: status %04x, %v", offer, status, reply.keys)
			continue
		}
		if status, reply := play(l, direct(toOperation, proof(challenge, want[0].Value)...)); status != 0 || !reply.transit {
			t.Errorf("%s: the right answer ends with status %04x", offer, status)
		}
	}
}

func TestCHAPOutOfOrderIsRefused(t *testing.T) {
	_, c := atCHAP(t)
	algorithm := direct(security, "CHAP_A", "5")
	right := proof(c, "5")
	reflected := proof(c, "5", "CHAP_I", "9", "CHAP_C", iscsi.FormatBinary(c.Value))
	mutual := func(id, value string) request {
		return direct(toOperation, proof(c, "5", "CHAP_I", id, "CHAP_C", value)...)
	}
	for name, x := range map[string]struct {
		want     uint16
		requests []request
	}{
		"no algorithm in common":     {iscsi.LoginAuthentication, []request{direct(security, "CHAP_A", "6")}},
		"an answer before":           {iscsi.LoginInitiatorError, []request{direct(security, right...)}},
		"algorithms again":           {iscsi.LoginInitiatorError, []request{algorithm, algorithm}},
		"an answer again":            {iscsi.LoginInitiatorError, []request{algorithm, direct(security, right...), direct(security, right...)}},
		"a wrong answer":             {iscsi.LoginAuthentication, []request{algorithm, direct(security, "CHAP_N", "host", "CHAP_R", "0x00")}},
		"an empty answer":            {iscsi.LoginAuthentication, []request{algorithm, direct(security, "CHAP_N", "host", "CHAP_R", "")}},
		"no name":                    {iscsi.LoginAuthentication, []request{algorithm, direct(security, right[2:]...)}},
		"a reflected challenge":      {iscsi.LoginAuthentication, []request{algorithm, direct(toOperation, reflected...)}},
		"a challenge without an id":  {iscsi.LoginInitiatorError, []request{algorithm, direct(toOperation, proof(c, "5", "CHAP_C", "0x01")...)}},
		"an id without a challenge":  {iscsi.LoginInitiatorError, []request{algorithm, direct(toOperation, proof(c, "5", "CHAP_I", "1")...)}},
		"an id out of range":         {iscsi.LoginInitiatorError, []request{algorithm, mutual("256", "0x01")}},
		"an id that is no number":    {iscsi.LoginInitiatorError, []request{algorithm, mutual("0b1", "0x01")}},
		"an empty challenge":         {iscsi.LoginInitiatorError, []request{algorithm, mutual("1", "0x")}},
		"a challenge that is long":   {iscsi.LoginInitiatorError, []request{algorithm, mutual("1", "0x"+strings.Repeat("00", maxChallenge+1))}},
		"the operational stage":      {iscsi.LoginInitiatorError, []request{algorithm, direct(toFull)}},
		"no answer, but on":          {iscsi.LoginInitiatorError, []request{algorithm, direct(toOperation), direct(toFull)}},
		"a method, again":            {iscsi.LoginInitiatorError, []request{direct(security, "AuthMethod", "None")}},
		"everything in one request?": {iscsi.LoginInitiatorError, []request{direct(toOperation, append(right, "CHAP_A", "5")...), direct(toFull)}},
	} {
		l, _ := atCHAP(t)
		if got, _ := play(l, x.requests...); got != x.want {
			t.Errorf("%s: status %04x instead of %04x", name, got, x.want)
		}
		if l.done() {
			t.Errorf("%s: it is in", name)
		}
	}
}

func TestATargetWithSecretsCanNotBeHadWithoutThem(t *testing.T) {
	who := []string{"InitiatorName", client, "TargetName", disk}
	for name, requests := range map[string][]request{
		"no security stage":           {direct(toFull, who...)},
		"from security to the end":    {direct(iscsi.FlagFinal|byte(iscsi.StageFullFeature), who...)},
		"no method":                   {direct(security, who...), direct(toOperation)},
		"None only":                   {direct(toOperation, append(who, "AuthMethod", "None")...)},
		"a method in the wrong stage": {direct(operational, append(who, "AuthMethod", "CHAP")...), direct(operational, "CHAP_A", "5"), direct(toFull)},
	} {
		l := newLogin(targets{disk: {Name: disk, CHAP: &secrets}}, "")
		if status, _ := play(l, requests...); status == 0 || l.done() {
			t.Errorf("%s: it is in", name)
		}
	}
}

func TestTheTargetProvesItselfToWhoAsks(t *testing.T) {
	for id, number := range map[string]byte{"10": 10, "0x1F": 31, "010": 10, "255": 255} {
		l, c := atCHAP(t)
		theirs := iscsi.Challenge{ID: number, Value: []byte("another challenge")}
		status, reply := play(l, direct(security, "CHAP_A", "7"),
			direct(toOperation, proof(c, "7", "CHAP_I", id, "CHAP_C", iscsi.FormatBinary(theirs.Value))...))
		if status != 0 || len(reply.keys) != 2 {
			t.Fatalf("status %04x, %v", status, reply.keys)
		}
		got, err := iscsi.ParseBinary(reply.keys[1].Value)
		if err != nil || reply.keys[0].Value != "disk" || !theirs.Verify("7", secrets.MutualSecret, got) {
			t.Errorf("identifier %s: %v", strconv.Quote(id), reply.keys)
		}
	}
}
