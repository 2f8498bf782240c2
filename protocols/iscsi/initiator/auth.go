package initiator

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"forebay/protocols/iscsi"
)

// ErrAuthentication is a target that could not prove who it is, or that won't be asked.
var ErrAuthentication = errors.New("authentication of the target failed")

// security goes through the security stage: without CHAP, one-way, or mutual (RFC 7143 12.1.3).
func (l *login) security() error {
	chap := l.opts.CHAP
	method, transit := "None", true
	switch {
	case chap.MutualUser != "":
		method, transit = "CHAP", false
	case chap.User != "":
		method, transit = "CHAP,None", false
	}
	answers, err := l.exchange(append(l.identity(), iscsi.KeyValue{Key: "AuthMethod", Value: method}), transit, stageOperational)
	if err != nil {
		return err
	}
	switch chosen := value(answers, "AuthMethod"); {
	case chosen == "CHAP" && chap.User != "":
		return l.chap()
	case chosen == "CHAP" || chosen == iscsi.Reject:
		return fmt.Errorf("the target asks for authentication, and no CHAP user is given: %w", &LoginError{2, 1})
	case chap.MutualUser != "":
		return fmt.Errorf("%w: it offers no CHAP", ErrAuthentication)
	}
	if l.stage != stageSecurity {
		return nil
	}
	return l.leaveSecurity(nil)
}

// leaveSecurity goes on to the operational stage, which the target may do in an exchange of its own.
func (l *login) leaveSecurity(keys []iscsi.KeyValue) error {
	for range maxRounds {
		if _, err := l.exchange(keys, true, stageOperational); err != nil || l.stage != stageSecurity {
			return err
		}
		keys = nil
	}
	return protocolError("the target does not leave the security stage")
}

// algorithms is what we offer: MD5 (5) first, since tgtd takes 7 for SHA-1 where the registry says SHA-256, and then refuses us.
const algorithms = "5,7"

func (l *login) chap() error {
	answers, err := l.exchange([]iscsi.KeyValue{{Key: "CHAP_A", Value: algorithms}}, false, 0)
	if err != nil {
		return err
	}
	algorithm := value(answers, "CHAP_A")
	id, idErr := strconv.ParseUint(value(answers, "CHAP_I"), 0, 8)
	theirs, err := iscsi.ParseBinary(value(answers, "CHAP_C"))
	if iscsi.ChooseAlgorithm(algorithm) != algorithm || idErr != nil || err != nil || len(theirs) == 0 {
		return protocolError("malformed CHAP challenge")
	}
	c := l.opts.CHAP
	response := iscsi.Challenge{ID: byte(id), Value: theirs}.Response(algorithm, c.Secret)
	keys := []iscsi.KeyValue{{Key: "CHAP_N", Value: c.User}, {Key: "CHAP_R", Value: iscsi.FormatBinary(response)}}
	if c.MutualUser == "" {
		return l.leaveSecurity(keys)
	}
	return l.mutual(keys, algorithm, theirs)
}

// mutual lets the target prove itself too.
func (l *login) mutual(keys []iscsi.KeyValue, algorithm string, theirs []byte) error {
	c := l.opts.CHAP
	if c.Secret == c.MutualSecret {
		return fmt.Errorf("%w: the secrets of the two directions are the same", ErrAuthentication) // RFC 7143 12.1.3
	}
	ours := iscsi.NewChallenge()
	keys = append(keys, iscsi.KeyValue{Key: "CHAP_I", Value: strconv.Itoa(int(ours.ID))},
		iscsi.KeyValue{Key: "CHAP_C", Value: iscsi.FormatBinary(ours.Value)})
	answers, err := l.exchange(keys, true, stageOperational)
	if err != nil {
		return err
	}
	response, err := iscsi.ParseBinary(value(answers, "CHAP_R"))
	if err != nil || bytes.Equal(ours.Value, theirs) || value(answers, "CHAP_N") != c.MutualUser || !ours.Verify(algorithm, c.MutualSecret, response) {
		return ErrAuthentication
	}
	if l.stage != stageSecurity {
		return nil
	}
	return l.leaveSecurity(nil)
}

// value returns the value of a key, or "".
func value(list []iscsi.KeyValue, key string) string {
	if i := slices.IndexFunc(list, func(kv iscsi.KeyValue) bool { return kv.Key == key }); i >= 0 {
		return list[i].Value
	}
	return ""
}
