package target

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"forebay/protocols/iscsi"
)

// login is the login phase of one connection (RFC 7143 6.3) as a state machine: step takes a request, and returns the response. It
// does no I/O.
type login struct {
	catalog   Catalog
	alias     string
	challenge func() iscsi.Challenge

	begun     bool
	stage     iscsi.Stage
	initiator string
	discovery bool
	target    *Target
	isid      [6]byte
	tsih, cid uint16
	tag       uint32
	cmdSN     uint32
	params    iscsi.Params

	auth     auth
	text     []byte            // of requests with the C bit
	seen     map[string]string // keys with their values; each may come once
	declared bool              // our MaxRecvDataSegmentLength
	named    bool              // our portal group tag
	requests int
}

// loginReply is a login response.
type loginReply struct {
	stage, next iscsi.Stage
	transit     bool
	keys        []iscsi.KeyValue
}

// loginError ends a login.
type loginError struct {
	status uint16 // class and detail
	reason string
}

func (e *loginError) Error() string { return e.reason }

func refused(status uint16, format string, args ...any) error {
	return &loginError{status, fmt.Sprintf(format, args...)}
}

// Bounds on a login.
const (
	maxLoginRequests = 64
	maxName          = 223 // RFC 7143 4.2.7.1
)

func newLogin(catalog Catalog, alias string) *login {
	return &login{catalog: catalog, alias: alias, challenge: iscsi.NewChallenge, params: iscsi.DefaultParams(maxRecvSegment), seen: make(map[string]string)}
}

// step takes one Login Request.
func (l *login) step(h iscsi.Header, data []byte) (loginReply, error) {
	if err := l.check(h); err != nil {
		return loginReply{}, err
	}
	reply := loginReply{stage: l.stage}
	if l.text = append(l.text, data...); len(l.text) > iscsi.MaxText {
		return reply, refused(iscsi.LoginInitiatorError, "more than %d bytes of keys", iscsi.MaxText)
	}
	if h.Flags()&iscsi.FlagContinue != 0 {
		return reply, nil
	}
	keys, err := iscsi.ParseText(l.text)
	l.text = nil
	if err != nil {
		return reply, refused(iscsi.LoginInitiatorError, "%v", err)
	}
	if !l.begun {
		if err := l.identify(keys); err != nil {
			return reply, err
		}
		l.begun = true
	}
	if reply.keys, err = l.answer(keys); err != nil {
		return reply, err
	}
	return reply, l.transit(h, &reply)
}

// check holds a request against the one before (RFC 7143 11.12).
func (l *login) check(h iscsi.Header) error {
	l.requests++
	first := l.requests == 1
	if first {
		l.stage, l.tag, l.tsih, l.cid, l.cmdSN = h.CurrentStage(), h.InitiatorTag(), h.TSIH(), h.CID(), h.CmdSN()
		copy(l.isid[:], h.ISID())
	}
	transit, more := h.Flags()&iscsi.FlagFinal != 0, h.Flags()&iscsi.FlagContinue != 0
	next := h.NextStage()
	switch {
	case h.Opcode() != iscsi.OpLogin:
		return refused(iscsi.LoginInvalidRequest, "opcode %#02x during the login", byte(h.Opcode()))
	case h.VersionMin() != 0:
		return refused(iscsi.LoginVersion, "version %d and above", h.VersionMin())
	case l.requests > maxLoginRequests:
		return refused(iscsi.LoginInitiatorError, "more than %d login requests", maxLoginRequests)
	case first && l.stage != iscsi.StageSecurity && l.stage != iscsi.StageOperational, h.CurrentStage() != l.stage:
		return refused(iscsi.LoginInitiatorError, "stage %d is not the current one", h.CurrentStage())
	case transit && more, transit && (next <= l.stage || next == 2):
		return refused(iscsi.LoginInitiatorError, "bad transition from stage %d to %d", l.stage, next)
	case h.InitiatorTag() != l.tag, h.CID() != l.cid, string(h.ISID()) != string(l.isid[:]):
		return refused(iscsi.LoginInitiatorError, "a login request of another login")
	}
	return nil
}

// identify takes the keys that say who wants what. They come with the first request.
func (l *login) identify(keys []iscsi.KeyValue) error {
	session, name := "Normal", ""
	for _, kv := range keys {
		switch kv.Key {
		case "InitiatorName":
			l.initiator = kv.Value
		case "TargetName":
			name = kv.Value
		case "SessionType":
			session = kv.Value
		}
	}
	switch {
	case l.initiator == "":
		return refused(iscsi.LoginMissingParameter, "no InitiatorName")
	case len(l.initiator) > maxName || strings.ContainsFunc(l.initiator, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return refused(iscsi.LoginInitiatorError, "malformed InitiatorName")
	case session == "Discovery":
		l.discovery = true
		return nil
	case session != "Normal":
		return refused(iscsi.LoginSessionType, "session type %.32q", session)
	case name == "":
		return refused(iscsi.LoginMissingParameter, "no TargetName")
	}
	target, ok := l.catalog.Target(name)
	switch {
	case !ok:
		return refused(iscsi.LoginNotFound, "no target %.223q", name)
	case target.Allowed != nil && !target.Allowed(l.initiator):
		return refused(iscsi.LoginForbidden, "the initiator is not on the access list of %s", target.Name)
	}
	l.target, l.auth.credentials = target, target.CHAP
	return nil
}

// answer answers the keys of one request.
func (l *login) answer(keys []iscsi.KeyValue) (answers []iscsi.KeyValue, err error) {
	add := func(key, value string) { answers = append(answers, iscsi.KeyValue{Key: key, Value: value}) }
	for _, kv := range keys {
		if said, again := l.seen[kv.Key]; again && (!introduces(kv.Key) || said != kv.Value) {
			return nil, refused(iscsi.LoginInitiatorError, "key %.63q comes twice", kv.Key)
		}
		l.seen[kv.Key] = kv.Value
		if introduces(kv.Key) {
			continue
		}
		switch kv.Key {
		case "TargetAlias", "TargetAddress", "TargetPortalGroupTag":
			add(kv.Key, iscsi.Reject) // ours to say
		case "AuthMethod", "CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C":
		default:
			if value, answered := l.params.Answer(kv, negotiation, l.discovery); answered && !isAnswer(kv.Value) {
				add(kv.Key, value)
			}
		}
	}
	security, err := l.auth.step(l.stage, keys, l.challenge)
	if err != nil {
		return nil, err
	}
	answers = l.declare(append(answers, security...))
	if len(iscsi.EncodeText(answers)) > loginSegment {
		return nil, refused(iscsi.LoginInitiatorError, "too many keys")
	}
	return answers, nil
}

// introduces says whether a key says who wants what. It is not negotiated, and may be said again: libiscsi does when it has offered CHAP and gets None.
func introduces(key string) bool {
	switch key {
	case "InitiatorName", "InitiatorAlias", "TargetName", "SessionType":
		return true
	}
	return false
}

// declare adds what we have to say unasked. A key that was rejected can't come a second time in the same answer.
func (l *login) declare(answers []iscsi.KeyValue) []iscsi.KeyValue {
	declaration := func(key, value string) bool {
		if slices.ContainsFunc(answers, func(kv iscsi.KeyValue) bool { return kv.Key == key }) {
			return false
		}
		answers = append(answers, iscsi.KeyValue{Key: key, Value: value})
		return true
	}
	if l.target != nil && !l.named {
		l.named = declaration("TargetPortalGroupTag", strconv.Itoa(portalGroup))
		if l.alias != "" {
			declaration("TargetAlias", l.alias)
		}
	}
	if l.stage == iscsi.StageOperational && !l.declared {
		l.declared = declaration("MaxRecvDataSegmentLength", strconv.Itoa(maxRecvSegment))
	}
	return answers
}

func isAnswer(value string) bool {
	return value == iscsi.Reject || value == iscsi.NotUnderstood || value == iscsi.Irrelevant
}

// transit goes to the stage that the initiator wants, if nothing is missing for that.
func (l *login) transit(h iscsi.Header, reply *loginReply) error {
	if h.Flags()&iscsi.FlagFinal == 0 {
		return nil
	}
	if !l.auth.proven() {
		if l.stage == iscsi.StageOperational || !l.auth.begun() {
			return refused(iscsi.LoginAuthentication, "the initiator offers no authentication, and the target asks for CHAP")
		}
		return nil // not yet
	}
	reply.transit, reply.next = true, h.NextStage()
	l.stage = reply.next
	l.params.FirstBurst = min(l.params.FirstBurst, l.params.MaxBurst)
	return nil
}

// done says whether the login phase is over.
func (l *login) done() bool { return l.stage == iscsi.StageFullFeature }
