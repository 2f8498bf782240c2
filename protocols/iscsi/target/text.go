package target

import (
	"strings"

	"forebay/protocols/iscsi"
)

// textExchange is a text negotiation over several PDUs, each way (RFC 7143 11.10).
type textExchange struct {
	tag  uint32 // target transfer tag that continues it
	open bool
	in   []byte // gathered of a request with the C bit
	out  []byte // of the answer, yet to be sent
}

// textRequest takes a Text Request: SendTargets, mostly.
func (c *conn) textRequest(h iscsi.Header, data []byte) error {
	e := &c.text
	switch {
	case h.TargetTag() == iscsi.ReservedTag:
		*e = textExchange{tag: e.tag + 1} // a new one ends what was left of an old one
		if e.tag == iscsi.ReservedTag {
			e.tag = 1
		}
	case !e.open || h.TargetTag() != e.tag:
		return c.reject(h, iscsi.RejectInvalidField, 0)
	}
	more := h.Flags()&iscsi.FlagContinue != 0
	if len(e.in)+len(data) > iscsi.MaxText || more && h.Final() {
		*e = textExchange{tag: e.tag}
		return c.reject(h, iscsi.RejectInvalidField, 0)
	}
	e.in = append(e.in, data...)
	if !more && len(e.out) == 0 {
		keys, err := iscsi.ParseText(e.in)
		if err != nil {
			*e = textExchange{tag: e.tag}
			return c.reject(h, iscsi.RejectProtocol, 0)
		}
		e.in = nil
		seen := make(map[string]bool, len(keys))
		for _, kv := range keys {
			if seen[kv.Key] { // once each (RFC 7143 6.2), or the answer would grow beyond all measure
				*e = textExchange{tag: e.tag}
				return c.reject(h, iscsi.RejectProtocol, 0)
			}
			seen[kv.Key] = true
			e.out = c.answerKey(e.out, kv)
		}
	}
	c.textResponse(h, more)
	return nil
}

func (c *conn) textResponse(h iscsi.Header, more bool) {
	e := &c.text
	n := min(len(e.out), c.params.MaxSend)
	if more {
		n = 0
	}
	piece := e.out[:n]
	e.out = e.out[n:]
	flags, tag := byte(iscsi.FlagFinal), uint32(iscsi.ReservedTag)
	switch {
	case !more && len(e.out) > 0:
		flags, tag = iscsi.FlagContinue, e.tag
	case more || !h.Final():
		flags, tag = 0, e.tag
	}
	e.open = tag != iscsi.ReservedTag
	c.answer(iscsi.OpTextResp, h, piece, func(r iscsi.Header) {
		r.SetFlags(flags)
		r.SetTargetTag(tag)
	})
}

// answerKey answers one key of the full feature phase.
func (c *conn) answerKey(p []byte, kv iscsi.KeyValue) []byte {
	switch kv.Key {
	case "SendTargets":
		return c.sendTargets(p, kv.Value)
	case "InitiatorAlias":
		return p
	case "MaxRecvDataSegmentLength":
		c.out.mu.Lock() // other goroutines cut Data-In by it
		defer c.out.mu.Unlock()
		if value, answers := c.params.Answer(kv, negotiation, c.session.discovery); answers {
			return iscsi.AppendText(p, kv.Key, value)
		}
		return p
	}
	probe := c.params // all others are fixed once the login is over (RFC 7143 13)
	if value, answers := probe.Answer(kv, negotiation, c.session.discovery); answers && value == iscsi.NotUnderstood {
		return iscsi.AppendText(p, kv.Key, value)
	}
	return iscsi.AppendText(p, kv.Key, iscsi.Reject)
}

// sendTargets answers SendTargets (RFC 7143 appendix C): All or a name in a discovery session; in a normal one, which must not be told
// of others, nothing or the name of its own target.
func (c *conn) sendTargets(p []byte, what string) []byte {
	x := c.session
	named := strings.HasPrefix(what, "iqn.") || strings.HasPrefix(what, "eui.") || strings.HasPrefix(what, "naa.")
	if !named && (x.discovery && what != "All" || !x.discovery && what != "") {
		return iscsi.AppendText(p, "SendTargets", iscsi.Reject)
	}
	for _, t := range c.srv.opts.Catalog.Targets(x.initiator, c.net.LocalAddr()) {
		if named && t.Name != what || !x.discovery && t.Name != x.target.Name {
			continue
		}
		p = iscsi.AppendText(p, "TargetName", t.Name)
		for _, portal := range t.Portals {
			p = iscsi.AppendText(p, "TargetAddress", portal)
		}
	}
	return p
}
