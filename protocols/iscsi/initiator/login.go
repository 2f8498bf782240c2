package initiator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"forebay/protocols/iscsi"
)

// Stages of a login (RFC 7143 11.12.3).
const (
	stageSecurity    = 0
	stageOperational = 1
	stageFull        = 3
)

const (
	loginSegment = 8192 // bytes of text in one login PDU: the default MaxRecvDataSegmentLength
	maxRounds    = 32
)

// login is a login under way, over a connection that nobody else uses yet.
type login struct {
	opts      Options
	discovery bool
	portal    string // where conn leads
	group     string // TargetPortalGroupTag; empty: not told
	conn      net.Conn
	in        *receiver
	params    iscsi.Params
	stage     byte
	tsih      uint16

	cmdSN, maxCmdSN, expStatSN uint32
}

// redirect is where a target wants us to log in instead (RFC 7143 11.13.5, status class 1).
type redirect struct{ address string }

func (r *redirect) Error() string { return "redirected to " + r.address }

// Dial logs in and returns the session. It follows redirections.
func Dial(ctx context.Context, o Options) (*Session, error) {
	o = o.withDefaults()
	l, err := establish(ctx, o, false)
	if err != nil {
		return nil, err
	}
	s := start(o, l.conn, l.in, l.params, l.cmdSN, l.maxCmdSN, l.expStatSN)
	s.group, s.redirected = cmp.Or(l.group, "at "+l.portal), l.portal != o.Portal
	return s, nil
}

// establish connects and logs in.
func establish(ctx context.Context, o Options, discovery bool) (*login, error) {
	ctx, cancel := context.WithTimeout(ctx, o.LoginTimeout)
	defer cancel()
	portal := o.Portal
	for range redirections + 1 {
		l, err := attempt(ctx, o, portal, discovery)
		var elsewhere *redirect
		if !errors.As(err, &elsewhere) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", portal, err)
			}
			return l, nil
		}
		if portal, err = portalOf(elsewhere.address); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: more than %d redirections", o.Portal, redirections)
}

func attempt(ctx context.Context, o Options, portal string, discovery bool) (*login, error) {
	conn, err := o.Dial(ctx, "tcp", portal)
	if err != nil {
		return nil, err
	}
	release := context.AfterFunc(ctx, func() { conn.Close() })
	l := &login{opts: o, discovery: discovery, portal: portal, conn: conn, in: newReceiver(conn), params: iscsi.DefaultParams(o.Limits.MaxRecv), cmdSN: 1}
	err = l.run()
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("login: %w", cause)
		}
		return nil, err
	}
	return l, nil
}

// run goes through the stages.
func (l *login) run() error {
	if err := l.security(); err != nil {
		return err
	}
	return l.operational()
}

// identity is what the first PDU must tell.
func (l *login) identity() []iscsi.KeyValue {
	keys := []iscsi.KeyValue{{Key: "InitiatorName", Value: l.opts.InitiatorName}}
	if l.discovery {
		return append(keys, iscsi.KeyValue{Key: "SessionType", Value: "Discovery"})
	}
	return append(keys, iscsi.KeyValue{Key: "SessionType", Value: "Normal"}, iscsi.KeyValue{Key: "TargetName", Value: l.opts.Target})
}

// operational offers our parameters and takes what the target makes of them.
func (l *login) operational() error {
	offers := iscsi.Offers(l.opts.Limits)
	if l.discovery {
		segment := min(l.opts.Limits.MaxRecv, maxSegment)
		offers = []iscsi.KeyValue{{Key: "MaxRecvDataSegmentLength", Value: fmt.Sprint(segment)}, {Key: "HeaderDigest", Value: "None"}, {Key: "DataDigest", Value: "None"}}
	}
	for range maxRounds {
		answers, err := l.exchange(offers, true, stageFull)
		if err != nil {
			return err
		}
		for _, kv := range answers {
			if !l.accept(kv) {
				return protocolError("the target answers %s=%.64s", kv.Key, kv.Value)
			}
		}
		if l.stage == stageFull {
			return l.settle()
		}
		offers = nil
	}
	return protocolError("no end of the login")
}

// settle checks what the answers make together: a key that the target has left out has its default.
func (l *login) settle() error {
	p := &l.params
	p.FirstBurst = min(p.FirstBurst, p.MaxBurst)
	if l.opts.Limits.Digests == iscsi.DigestsRequired && !l.discovery && (!p.HeaderDigest || !p.DataDigest) {
		return protocolError("the target does not agree to digests")
	}
	return nil
}

// accept takes an answer. In a discovery only what the connection needs is negotiated.
func (l *login) accept(kv iscsi.KeyValue) bool {
	if l.discovery && kv.Key != "MaxRecvDataSegmentLength" {
		return true
	}
	return l.params.Accept(kv, l.opts.Limits)
}

// exchange sends keys and returns the keys of the answer, which may come in several PDUs. With transit it asks to go on to the
// next stage; l.stage says whether the target agreed.
func (l *login) exchange(keys []iscsi.KeyValue, transit bool, next byte) ([]iscsi.KeyValue, error) {
	if err := l.send(iscsi.EncodeText(keys), transit, next); err != nil {
		return nil, err
	}
	var text []byte
	for range maxRounds {
		h, data, err := l.receive()
		if err != nil {
			return nil, err
		}
		if text = append(text, data...); len(text) > iscsi.MaxText {
			return nil, protocolError("login text of more than %d bytes", iscsi.MaxText)
		}
		if h.Flags()&iscsi.FlagContinue != 0 {
			if err := l.send(nil, false, 0); err != nil {
				return nil, err
			}
			continue
		}
		answers, err := iscsi.ParseText(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		l.group = cmp.Or(value(answers, "TargetPortalGroupTag"), l.group)
		return answers, l.judge(h, answers, transit, next)
	}
	return nil, protocolError("no end of a login answer")
}

// judge takes status and stage of the last PDU of an answer.
func (l *login) judge(h iscsi.Header, answers []iscsi.KeyValue, transit bool, next byte) error {
	switch class, detail := h[36], h[37]; class {
	case 0:
	case 1:
		for _, kv := range answers {
			if kv.Key == "TargetAddress" {
				return &redirect{kv.Value}
			}
		}
		return protocolError("a redirection without an address")
	default:
		return &LoginError{class, detail}
	}
	if !h.Final() {
		return nil
	}
	if agreed := h.Flags() & 3; !transit || agreed != next {
		return protocolError("the target goes on to stage %d from %d, unasked", agreed, l.stage)
	}
	l.stage = next
	return nil
}

func (l *login) send(text []byte, transit bool, next byte) error {
	if len(text) > loginSegment {
		return errors.New("names and secrets are too long for a login")
	}
	p := make([]byte, iscsi.HeaderLength, iscsi.HeaderLength+len(text)+4)
	h := iscsi.Header(p)
	h.SetOpcode(iscsi.OpLogin)
	h.SetImmediate()
	h.SetFlags(l.stage << 2)
	if transit {
		h.SetFlags(iscsi.FlagFinal | l.stage<<2 | next)
	}
	h.SetDataLength(len(text))
	copy(h[8:14], l.opts.ISID[:])
	h[14], h[15] = byte(l.tsih>>8), byte(l.tsih)
	h.SetInitiatorTag(1)
	h.SetCmdSN(l.cmdSN)
	h.SetExpStatSN(l.expStatSN)
	p = append(p, text...)
	_, err := l.conn.Write(append(p, make([]byte, iscsi.Pad(len(text)))...))
	return err
}

// receive returns the next login response, valid until the next call.
func (l *login) receive() (iscsi.Header, []byte, error) {
	h, err := l.in.header()
	if err != nil {
		return nil, nil, fmt.Errorf("connection lost during login: %w", err)
	}
	data, err := l.in.segment(h.DataLength())
	if err != nil {
		return nil, nil, err
	}
	if h.Opcode() != iscsi.OpLoginResp || h.InitiatorTag() != 1 {
		return nil, nil, protocolError("PDU %02xh during login", byte(h.Opcode()))
	}
	l.tsih = uint16(h[14])<<8 | uint16(h[15])
	l.expStatSN, l.maxCmdSN = h.StatSN()+1, h.MaxCmdSN()
	if h[36] == 0 {
		l.cmdSN = h.ExpCmdSN()
	}
	return h, data, nil
}

// portalOf reads a TargetAddress: domainname[:port][,portal-group-tag] (RFC 7143 13.8).
func portalOf(address string) (string, error) {
	host, _, _ := strings.Cut(address, ",")
	portal, err := withPort(host)
	if err != nil {
		return "", protocolError("target address %.128q", address)
	}
	return portal, nil
}
