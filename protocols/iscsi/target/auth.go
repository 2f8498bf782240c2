package target

import (
	"slices"
	"strconv"
	"strings"

	"forebay/protocols/iscsi"
)

// auth is the security stage of a login (RFC 7143 12.1): AuthMethod, then CHAP if credentials ask for it.
type auth struct {
	credentials *iscsi.Credentials // nil: nothing to prove

	method    string // None or CHAP, once chosen
	algorithm string
	challenge iscsi.Challenge
	verified  bool
}

// maxChallenge is the longest challenge that we answer (RFC 7143 12.1.3).
const maxChallenge = 1024

func (a *auth) begun() bool  { return a.method != "" }
func (a *auth) proven() bool { return a.credentials == nil || a.verified }

// step takes the security keys of one request.
func (a *auth) step(stage iscsi.Stage, keys []iscsi.KeyValue, challenge func() iscsi.Challenge) ([]iscsi.KeyValue, error) {
	value := func(key string) (string, bool) {
		i := slices.IndexFunc(keys, func(kv iscsi.KeyValue) bool { return kv.Key == key })
		if i < 0 {
			return "", false
		}
		return keys[i].Value, true
	}
	var answers []iscsi.KeyValue
	if offered, ok := value("AuthMethod"); ok {
		if stage != iscsi.StageSecurity {
			return []iscsi.KeyValue{{Key: "AuthMethod", Value: iscsi.Reject}}, nil
		}
		if err := a.choose(offered); err != nil {
			return nil, err
		}
		answers = append(answers, iscsi.KeyValue{Key: "AuthMethod", Value: a.method})
	}
	if offered, ok := value("CHAP_A"); ok {
		if a.method != "CHAP" || a.algorithm != "" {
			return nil, refused(iscsi.LoginInitiatorError, "CHAP_A out of order")
		}
		if a.algorithm = iscsi.ChooseAlgorithm(offered); a.algorithm == "" {
			return nil, refused(iscsi.LoginAuthentication, "no CHAP algorithm in common; offered %.64q, known %s", offered, iscsi.Algorithms)
		}
		a.challenge = challenge()
		return append(answers, iscsi.KeyValue{Key: "CHAP_A", Value: a.algorithm}, iscsi.KeyValue{Key: "CHAP_I", Value: strconv.Itoa(int(a.challenge.ID))},
			iscsi.KeyValue{Key: "CHAP_C", Value: iscsi.FormatBinary(a.challenge.Value)}), nil
	}
	if response, ok := value("CHAP_R"); ok {
		user, _ := value("CHAP_N")
		if err := a.verify(user, response); err != nil {
			return nil, err
		}
		id, mutual := value("CHAP_I")
		theirs, mutualToo := value("CHAP_C")
		if mutual || mutualToo {
			proof, err := a.prove(id, theirs)
			return append(answers, proof...), err
		}
	}
	return answers, nil
}

// choose takes the method that we need of those that are offered.
func (a *auth) choose(offered string) error {
	need := "None"
	if a.credentials != nil {
		need = "CHAP"
	}
	if !slices.Contains(strings.Split(offered, ","), need) {
		return refused(iscsi.LoginAuthentication, "authentication methods offered: %.64q; the target asks for %s", offered, need)
	}
	a.method = need
	return nil
}

// verify checks the initiator's answer to our challenge, which is good for one answer.
func (a *auth) verify(user, response string) error {
	if a.algorithm == "" || a.verified {
		return refused(iscsi.LoginInitiatorError, "CHAP_R out of order")
	}
	got, err := iscsi.ParseBinary(response)
	right := err == nil && a.challenge.Verify(a.algorithm, a.credentials.Secret, got)
	switch {
	case user != a.credentials.User:
		return refused(iscsi.LoginAuthentication, "CHAP user %.64q is not the one of the target", user)
	case !right:
		return refused(iscsi.LoginAuthentication, "wrong CHAP secret for user %.64q", user)
	}
	a.verified = true
	return nil
}

// prove answers the initiator's challenge, after its own proof. It must not be ours, nor may the secrets of the two directions be the
// same: we would compute the very answers that we ask for (RFC 7143 12.1.3).
func (a *auth) prove(id, theirs string) ([]iscsi.KeyValue, error) {
	c := a.credentials
	n, idErr := parseID(id)
	value, err := iscsi.ParseBinary(theirs)
	switch {
	case idErr != nil || err != nil || len(value) == 0 || len(value) > maxChallenge:
		return nil, refused(iscsi.LoginInitiatorError, "malformed CHAP challenge")
	case c.MutualUser == "":
		return nil, refused(iscsi.LoginAuthentication, "the initiator asks for mutual CHAP, which the target is not configured for")
	case a.challenge.Reflects(value):
		return nil, refused(iscsi.LoginAuthentication, "the initiator reflects the CHAP challenge")
	case c.MutualSecret == c.Secret:
		return nil, refused(iscsi.LoginAuthentication, "the CHAP secrets of the two directions are the same; configure different ones")
	}
	response := iscsi.Challenge{ID: byte(n), Value: value}.Response(a.algorithm, c.MutualSecret)
	return []iscsi.KeyValue{{Key: "CHAP_N", Value: c.MutualUser}, {Key: "CHAP_R", Value: iscsi.FormatBinary(response)}}, nil
}

// parseID reads a CHAP identifier, decimal or hexadecimal (RFC 7143 6.1).
func parseID(s string) (uint64, error) {
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		return strconv.ParseUint(rest, 16, 8)
	}
	return strconv.ParseUint(s, 10, 8)
}
