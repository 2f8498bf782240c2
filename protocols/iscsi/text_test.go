package iscsi

import (
	"slices"
	"strings"
	"testing"
)

func TestTextIsAListOfPairsEachEndedByNUL(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []KeyValue
		bad  bool
	}{
		"nothing":            {"", nil, false},
		"two pairs":          {"A=1\x00B=2\x00", []KeyValue{{"A", "1"}, {"B", "2"}}, false},
		"empty value":        {"SendTargets=\x00", []KeyValue{{"SendTargets", ""}}, false},
		"= in a value":       {"A=b=c\x00", []KeyValue{{"A", "b=c"}}, false},
		"padding in between": {"A=1\x00\x00\x00B=2\x00", []KeyValue{{"A", "1"}, {"B", "2"}}, false},
		"no NUL":             {"A=1", nil, true},
		"no =":               {"A\x00", nil, true},
		"no key":             {"=1\x00", nil, true},
		"long key":           {strings.Repeat("k", 64) + "=1\x00", nil, true},
		"long value":         {"A=" + strings.Repeat("v", 9000) + "\x00", nil, true},
		"too many keys":      {strings.Repeat("A=1\x00", 257), nil, true},
		"too much":           {strings.Repeat("\x00", MaxText+1), nil, true},
	} {
		got, err := ParseText([]byte(c.in))
		if (err != nil) != c.bad || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzLoginText(f *testing.F) {
	f.Add([]byte("InitiatorName=iqn.a\x00AuthMethod=CHAP,None\x00"))
	f.Add([]byte("MaxBurstLength=0x100000\x00\x00\x00CHAP_C=0bAAAA\x00"))
	f.Add([]byte("=\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ParseText(text)
		if err != nil {
			return
		}
		again, err := ParseText(EncodeText(list))
		if err != nil || !slices.Equal(list, again) {
			t.Fatalf("%q is not read back: %q, %v", list, again, err)
		}
		limits := Limits{MaxRecv: 1 << 18, MaxSend: 1 << 20, MaxBurst: 1 << 20, FirstBurst: 1 << 16, MaxOutstandingR2T: 8}
		p := DefaultParams(limits.MaxRecv)
		for _, kv := range list {
			p.Answer(kv, limits, false)
			_, _ = ParseBinary(kv.Value)
			ChooseAlgorithm(kv.Value)
		}
		if p.MaxSend < 512 || p.MaxSend > limits.MaxSend || p.MaxBurst < 512 || p.MaxBurst > limits.MaxBurst ||
			p.FirstBurst < 512 || p.FirstBurst > limits.FirstBurst || p.MaxOutstandingR2T < 1 || p.MaxOutstandingR2T > limits.MaxOutstandingR2T {
			t.Fatalf("out of bounds: %+v", p)
		}
	})
}
