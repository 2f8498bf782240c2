package iscsi

import "testing"

var testLimits = Limits{MaxRecv: 1 << 18, MaxSend: 1 << 20, MaxBurst: 1 << 20, FirstBurst: 1 << 16, MaxOutstandingR2T: 8}

func TestEveryOfferGetsTheAnswerThatChapter13Asks(t *testing.T) {
	for _, c := range []struct {
		key, offer, answer string
		discovery          bool
	}{
		{"HeaderDigest", "CRC32C,None", "CRC32C", false},
		{"HeaderDigest", "None,CRC32C", "None", false},
		{"DataDigest", "X-other,CRC32C", "CRC32C", false},
		{"DataDigest", "X-other", Reject, false},
		{"MaxConnections", "8", "1", false},
		{"MaxConnections", "0", Reject, false},
		{"ErrorRecoveryLevel", "2", "0", false},
		{"ErrorRecoveryLevel", "3", Reject, false},
		{"InitialR2T", "Yes", "Yes", false},
		{"InitialR2T", "No", "No", false},
		{"InitialR2T", "yes", Reject, false},
		{"InitialR2T", "No", Irrelevant, true},
		{"ImmediateData", "Yes", "Yes", false},
		{"ImmediateData", "No", "No", false},
		{"DataPDUInOrder", "No", "Yes", false},
		{"DataSequenceInOrder", "No", "Yes", false},
		{"MaxBurstLength", "16776192", "1048576", false},
		{"MaxBurstLength", "0x1000", "4096", false},
		{"MaxBurstLength", "511", Reject, false},
		{"MaxBurstLength", "16777216", Reject, false},
		{"MaxBurstLength", "4096", Irrelevant, true},
		{"FirstBurstLength", "262144", "65536", false},
		{"MaxOutstandingR2T", "1", "1", false},
		{"MaxOutstandingR2T", "65535", "8", false},
		{"MaxOutstandingR2T", "0", Reject, false},
		{"MaxOutstandingR2T", "-1", Reject, false},
		{"MaxOutstandingR2T", "", Reject, false},
		{"DefaultTime2Wait", "2", "2", false},
		{"DefaultTime2Wait", "3601", Reject, false},
		{"DefaultTime2Retain", "20", "0", false},
		{"IFMarker", "Yes", "No", false},
		{"OFMarker", "No", "No", false},
		{"OFMarkInt", "2048~8192", Reject, false},
		{"TaskReporting", "FastAbort,RFC3720", "RFC3720", false},
		{"TaskReporting", "FastAbort", Reject, false},
		{"iSCSIProtocolLevel", "2", "1", false},
		{"iSCSIProtocolLevel", "32", Reject, false},
		{"X-com.example.key", "1", NotUnderstood, false},
	} {
		p := DefaultParams(testLimits.MaxRecv)
		if got, answers := p.Answer(KeyValue{c.key, c.offer}, testLimits, c.discovery); !answers || got != c.answer {
			t.Errorf("%s=%s (discovery %t): answered %q, want %q", c.key, c.offer, c.discovery, got, c.answer)
		}
	}
}

func TestADeclarationHasNoAnswerAndABadOneIsRejected(t *testing.T) {
	p := DefaultParams(testLimits.MaxRecv)
	if _, answers := p.Answer(KeyValue{"MaxRecvDataSegmentLength", "4096"}, testLimits, false); answers || p.MaxSend != 4096 {
		t.Errorf("answered: %t, MaxSend %d", answers, p.MaxSend)
	}
	if v, _ := p.Answer(KeyValue{"MaxRecvDataSegmentLength", "511"}, testLimits, false); v != Reject || p.MaxSend != 4096 {
		t.Errorf("%s, MaxSend %d", v, p.MaxSend)
	}
}

func TestARejectedOfferChangesNothing(t *testing.T) {
	p := DefaultParams(testLimits.MaxRecv)
	before := p
	for _, kv := range []KeyValue{{"MaxBurstLength", "1"}, {"InitialR2T", "Perhaps"}, {"HeaderDigest", "SHA"}, {"FirstBurstLength", "x"}} {
		p.Answer(kv, testLimits, false)
	}
	if p != before {
		t.Errorf("%+v", p)
	}
}

func TestBothHalvesComeToTheSameParameters(t *testing.T) {
	limits := testLimits
	limits.Digests = DigestsRequired
	target, initiator := DefaultParams(1<<18), DefaultParams(1<<18)
	for _, offer := range Offers(limits) {
		value, answers := target.Answer(offer, testLimits, false)
		if answers && !initiator.Accept(KeyValue{offer.Key, value}, limits) {
			t.Errorf("%s=%s is answered %s, which the initiator won't have", offer.Key, offer.Value, value)
		}
	}
	initiator.Accept(KeyValue{"MaxRecvDataSegmentLength", "262144"}, limits)
	if target != initiator {
		t.Errorf("target %+v\ninitiator %+v", target, initiator)
	}
}

// RFC 7143 13.14: FirstBurstLength is irrelevant where InitialR2T=Yes and ImmediateData=No.
func TestAFirstBurstWithoutUnsolicitedDataMayBeIrrelevant(t *testing.T) {
	p := DefaultParams(testLimits.MaxRecv)
	for _, kv := range []KeyValue{{"FirstBurstLength", Irrelevant}, {"InitialR2T", "Yes"}, {"ImmediateData", "No"}} {
		if !p.Accept(kv, testLimits) {
			t.Errorf("%s=%s is not accepted", kv.Key, kv.Value)
		}
	}
	if p.FirstBurst != 65536 {
		t.Errorf("a first burst of %d", p.FirstBurst)
	}
	if p.Accept(KeyValue{"MaxBurstLength", Irrelevant}, testLimits) {
		t.Error("a burst is never irrelevant in a normal session")
	}
}
