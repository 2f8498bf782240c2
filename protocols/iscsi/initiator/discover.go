package initiator

import (
	"context"
	"fmt"

	"forebay/protocols/iscsi"
)

// Record is one target of a discovery, with its portals as "host:port".
type Record struct {
	Name    string
	Portals []string
}

// What a portal may tell of its targets: some ten thousand of them.
const (
	maxTargets       = 1 << 20 // bytes
	maxTargetsPieces = 2 * maxTargets / loginSegment
)

// Discover asks a portal for its targets (SendTargets, RFC 7143 appendix C).
func Discover(ctx context.Context, o Options) ([]Record, error) {
	o = o.withDefaults()
	l, err := establish(ctx, o, true)
	if err != nil {
		return nil, err
	}
	defer l.conn.Close()
	ctx, cancel := context.WithTimeout(ctx, o.LoginTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	text, err := l.sendTargets()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("discovery at %s: %w", o.Portal, err)
	}
	return records(text, o.Portal)
}

// sendTargets returns the answer to SendTargets=All, which may come in several PDUs (RFC 7143 11.10.4).
func (l *login) sendTargets() ([]byte, error) {
	request := iscsi.EncodeText([]iscsi.KeyValue{{Key: "SendTargets", Value: "All"}})
	var text []byte
	targetTag := uint32(iscsi.ReservedTag)
	for range maxTargetsPieces {
		if err := l.sendText(request, targetTag); err != nil {
			return nil, err
		}
		h, err := l.in.header()
		if err != nil {
			return nil, err
		}
		data, err := l.in.segment(h.DataLength())
		if err != nil {
			return nil, err
		}
		if h.Opcode() != iscsi.OpTextResp || h.InitiatorTag() != 1 {
			return nil, protocolError("PDU %02xh in a discovery", byte(h.Opcode()))
		}
		l.expStatSN = h.StatSN() + 1
		if text = append(text, data...); len(text) > maxTargets {
			return nil, protocolError("more than %d bytes of targets", maxTargets)
		}
		if targetTag = h.TargetTag(); h.Final() || targetTag == iscsi.ReservedTag {
			return text, nil
		}
		request = nil
	}
	return nil, protocolError("no end of the targets")
}

func (l *login) sendText(text []byte, targetTag uint32) error {
	p := make([]byte, iscsi.HeaderLength, iscsi.HeaderLength+len(text)+4)
	h := iscsi.Header(p)
	h.SetOpcode(iscsi.OpText)
	h.SetImmediate()
	h.SetFlags(iscsi.FlagFinal)
	h.SetDataLength(len(text))
	h.SetInitiatorTag(1)
	h.SetTargetTag(targetTag)
	h.SetCmdSN(l.cmdSN)
	h.SetExpStatSN(l.expStatSN)
	p = append(p, text...)
	_, err := l.conn.Write(append(p, make([]byte, iscsi.Pad(len(text)))...))
	return err
}

// records reads the answer. A target without an address is where we asked.
func records(text []byte, portal string) ([]Record, error) {
	keys, err := iscsi.ParseTargets(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	var list []Record
	for _, kv := range keys {
		switch {
		case kv.Key == "TargetName":
			list = append(list, Record{Name: kv.Value})
		case kv.Key == "TargetAddress" && len(list) > 0:
			address, err := portalOf(kv.Value)
			if err != nil {
				return nil, err
			}
			last := &list[len(list)-1]
			last.Portals = append(last.Portals, address)
		}
	}
	for i := range list {
		if len(list[i].Portals) == 0 {
			list[i].Portals = []string{portal}
		}
	}
	return list, nil
}
