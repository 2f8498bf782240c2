package iscsi

import (
	"slices"
	"strconv"
	"strings"
)

// Params are the operational parameters of a session with one connection (RFC 7143 13).
type Params struct {
	HeaderDigest, DataDigest bool // CRC32C
	MaxSend                  int  // bytes of a data segment that the peer takes
	MaxRecv                  int  // bytes of a data segment that we take
	MaxBurst, FirstBurst     int  // bytes
	MaxOutstandingR2T        int
	InitialR2T               bool
	ImmediateData            bool
	Time2Wait, Time2Retain   int // seconds
}

// DefaultParams are in force where nothing is negotiated, with what we declare for MaxRecvDataSegmentLength.
func DefaultParams(maxRecv int) Params {
	return Params{MaxSend: 8192, MaxRecv: maxRecv, MaxBurst: 262144, FirstBurst: 65536, MaxOutstandingR2T: 1,
		InitialR2T: true, ImmediateData: true, Time2Wait: 2, Time2Retain: 20}
}

// Limits are what we would agree to at most.
type Limits struct {
	MaxRecv, MaxSend     int
	MaxBurst, FirstBurst int
	MaxOutstandingR2T    int
	Digests              DigestChoice
}

// DigestChoice is what one side wants of digests.
type DigestChoice int

// A target takes what the initiator prefers. An initiator offers both, the preferred one first, or only one.
const (
	DigestsEither DigestChoice = iota
	DigestsNone
	DigestsRequired
)

// The answers that are no values (RFC 7143 6.2).
const (
	Reject        = "Reject"
	NotUnderstood = "NotUnderstood"
	Irrelevant    = "Irrelevant"
)

// Answer is the responder's half of the negotiation of one operational key: it takes the offer into p and returns the value to
// answer with; answer is false for declarations, which have none. Bad values are answered Reject and leave p alone.
func (p *Params) Answer(kv KeyValue, lim Limits, discovery bool) (value string, answer bool) {
	number := func(lowest, highest, ours int, take func(offer, ours int) int, to *int) (string, bool) {
		offer, err := parseNumber(kv.Value)
		if err != nil || offer < lowest || offer > highest {
			return Reject, true
		}
		if discovery && to != nil && kv.Key != "DefaultTime2Wait" && kv.Key != "DefaultTime2Retain" {
			return Irrelevant, true
		}
		result := take(offer, ours)
		if to != nil {
			*to = result
		}
		return strconv.Itoa(result), true
	}
	lower := func(a, b int) int { return min(a, b) }
	higher := func(a, b int) int { return max(a, b) }
	const all24 = 1<<24 - 1
	switch kv.Key {
	case "HeaderDigest":
		return answerDigest(kv.Value, lim.Digests, &p.HeaderDigest)
	case "DataDigest":
		return answerDigest(kv.Value, lim.Digests, &p.DataDigest)
	case "MaxRecvDataSegmentLength":
		offer, err := parseNumber(kv.Value)
		if err != nil || offer < 512 || offer > all24 {
			return Reject, true
		}
		p.MaxSend = min(offer, lim.MaxSend)
		return "", false
	case "MaxBurstLength":
		return number(512, all24, lim.MaxBurst, lower, &p.MaxBurst)
	case "FirstBurstLength":
		return number(512, all24, lim.FirstBurst, lower, &p.FirstBurst)
	case "MaxOutstandingR2T":
		return number(1, 65535, lim.MaxOutstandingR2T, lower, &p.MaxOutstandingR2T)
	case "MaxConnections":
		return number(1, 65535, 1, lower, nil)
	case "ErrorRecoveryLevel":
		return number(0, 2, 0, lower, nil)
	case "DefaultTime2Wait":
		return number(0, 3600, 0, higher, &p.Time2Wait)
	case "DefaultTime2Retain":
		return number(0, 3600, 0, lower, &p.Time2Retain)
	case "InitialR2T":
		return answerBool(kv.Value, false, orBool, discovery, &p.InitialR2T)
	case "ImmediateData":
		return answerBool(kv.Value, true, andBool, discovery, &p.ImmediateData)
	case "DataPDUInOrder", "DataSequenceInOrder":
		return answerBool(kv.Value, true, orBool, discovery, nil)
	case "IFMarker", "OFMarker":
		return answerBool(kv.Value, false, andBool, false, nil)
	case "IFMarkInt", "OFMarkInt":
		return Reject, true
	case "TaskReporting":
		if slices.Contains(strings.Split(kv.Value, ","), "RFC3720") {
			return "RFC3720", true
		}
		return Reject, true
	case "iSCSIProtocolLevel":
		return number(0, 31, 1, lower, nil)
	}
	return NotUnderstood, true
}

func orBool(a, b bool) bool  { return a || b }
func andBool(a, b bool) bool { return a && b }

func answerBool(offer string, ours bool, join func(a, b bool) bool, discovery bool, to *bool) (string, bool) {
	if offer != "Yes" && offer != "No" {
		return Reject, true
	}
	if discovery {
		return Irrelevant, true
	}
	result := join(offer == "Yes", ours)
	if to != nil {
		*to = result
	}
	if result {
		return "Yes", true
	}
	return "No", true
}

// answerDigest takes the first of the offered values that we do.
func answerDigest(offer string, choice DigestChoice, to *bool) (string, bool) {
	for _, v := range strings.Split(offer, ",") {
		switch {
		case v == "CRC32C" && choice != DigestsNone:
			*to = true
			return v, true
		case v == "None" && choice != DigestsRequired:
			*to = false
			return v, true
		}
	}
	return Reject, true
}

// parseNumber reads a numerical value, decimal or hexadecimal (RFC 7143 6.1).
func parseNumber(s string) (int, error) {
	if rest, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		n, err := strconv.ParseUint(rest, 16, 32)
		return int(n), err
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err
}

// Offers are the initiator's half: what it proposes of a normal session.
func Offers(lim Limits) []KeyValue {
	digests := map[DigestChoice]string{DigestsEither: "CRC32C,None", DigestsNone: "None", DigestsRequired: "CRC32C"}[lim.Digests]
	return []KeyValue{
		{"HeaderDigest", digests}, {"DataDigest", digests},
		{"MaxRecvDataSegmentLength", strconv.Itoa(lim.MaxRecv)},
		{"MaxBurstLength", strconv.Itoa(lim.MaxBurst)},
		{"FirstBurstLength", strconv.Itoa(lim.FirstBurst)},
		{"MaxOutstandingR2T", strconv.Itoa(lim.MaxOutstandingR2T)},
		{"InitialR2T", "No"}, {"ImmediateData", "Yes"}, {"MaxConnections", "1"}, {"ErrorRecoveryLevel", "0"},
		{"DataPDUInOrder", "Yes"}, {"DataSequenceInOrder", "Yes"},
		{"DefaultTime2Wait", "2"}, {"DefaultTime2Retain", "0"},
	}
}

// Accept takes a target's answer, or declaration, into an initiator's p; ok is false when it is outside of what was offered.
func (p *Params) Accept(kv KeyValue, lim Limits) (ok bool) {
	number := func(lowest, highest int, to *int) bool {
		n, err := parseNumber(kv.Value)
		if err != nil || n < lowest || n > highest {
			return false
		}
		*to = n
		return true
	}
	yesNo := func(to *bool) bool {
		*to = kv.Value == "Yes"
		return kv.Value == "Yes" || kv.Value == "No"
	}
	digest := func(to *bool) bool {
		*to = kv.Value == "CRC32C"
		return *to && lim.Digests != DigestsNone || kv.Value == "None" && lim.Digests != DigestsRequired
	}
	switch kv.Key {
	case "HeaderDigest":
		return digest(&p.HeaderDigest)
	case "DataDigest":
		return digest(&p.DataDigest)
	case "MaxRecvDataSegmentLength":
		ok = number(512, 1<<24-1, &p.MaxSend)
		p.MaxSend = min(p.MaxSend, lim.MaxSend)
		return ok
	case "MaxBurstLength":
		return number(512, lim.MaxBurst, &p.MaxBurst)
	case "FirstBurstLength":
		return kv.Value == Irrelevant || number(512, lim.FirstBurst, &p.FirstBurst) // so it may be without unsolicited data (RFC 7143 13.14)
	case "MaxOutstandingR2T":
		return number(1, lim.MaxOutstandingR2T, &p.MaxOutstandingR2T)
	case "InitialR2T":
		return yesNo(&p.InitialR2T)
	case "ImmediateData":
		return yesNo(&p.ImmediateData)
	case "DefaultTime2Wait":
		return number(0, 3600, &p.Time2Wait)
	case "DefaultTime2Retain":
		return number(0, 3600, &p.Time2Retain)
	}
	return true // what does not concern us: aliases, portal groups, NotUnderstood
}
