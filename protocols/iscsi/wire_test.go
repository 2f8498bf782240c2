package iscsi

import (
	"bytes"
	"crypto/md5"
	"testing"
)

func TestDigestsAreThoseOfTheExamplesInRFC7143(t *testing.T) {
	rising, falling := make([]byte, 32), make([]byte, 32)
	for i := range rising {
		rising[i], falling[i] = byte(i), byte(31-i)
	}
	for _, c := range []struct{ data, wire []byte }{ // appendix A.4
		{make([]byte, 32), []byte{0xaa, 0x36, 0x91, 0x8a}},
		{bytes.Repeat([]byte{0xff}, 32), []byte{0x43, 0xab, 0xa8, 0x62}},
		{rising, []byte{0x4e, 0x79, 0xdd, 0x46}},
		{falling, []byte{0x5c, 0xdb, 0x3f, 0x11}},
	} {
		got := make([]byte, 4)
		PutDigest(got, Digest(Digest(0, c.data[:5]), c.data[5:]))
		if !bytes.Equal(got, c.wire) || DigestAt(c.wire) != Digest(0, c.data) {
			t.Errorf("% x: % x", c.data, got)
		}
	}
}

func TestHeaderFieldsLieWhereChapter11PutsThem(t *testing.T) {
	h := make(Header, HeaderLength)
	h.SetOpcode(OpLoginResp)
	h.SetFlags(FlagFinal)
	h.SetStages(StageOperational, StageFullFeature)
	h.SetISID([]byte{1, 2, 3, 4, 5, 6})
	h.SetTSIH(0x0708)
	h.SetInitiatorTag(0x090a0b0c)
	h.SetStatSN(0x0d0e0f10)
	h.SetExpCmdSN(0x11121314)
	h.SetMaxCmdSN(0x15161718)
	h.SetLoginStatus(LoginAuthentication)
	h.SetDataLength(0x010203)
	want := []byte{0x23, 0x87, 0, 0, 0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0, 0, 0,
		13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if !bytes.Equal(h, want) {
		t.Errorf("% x", []byte(h))
	}
	if h.CurrentStage() != StageOperational || h.NextStage() != StageFullFeature || h.DataLength() != 0x010203 || h.TSIH() != 0x0708 {
		t.Errorf("% x is not read back", []byte(h))
	}
}

func TestSequenceNumbersCompareAcrossTheWrap(t *testing.T) {
	if !SerialLess(0xffffffff, 0) || SerialLess(0, 0xffffffff) || SerialLess(5, 5) {
		t.Error("not RFC 1982")
	}
}

func TestCHAPResponseIsTheHashOfIdentifierSecretAndChallenge(t *testing.T) {
	c := Challenge{ID: 7, Value: []byte("challenge")}
	want := md5.Sum([]byte("\x07secretchallenge"))
	if !bytes.Equal(c.Response("5", "secret"), want[:]) {
		t.Error("MD5")
	}
	for _, a := range []string{"5", "7"} {
		if r := c.Response(a, "secret"); !c.Verify(a, "secret", r) || c.Verify(a, "other", r) || c.Verify(a, "secret", nil) {
			t.Errorf("algorithm %s", a)
		}
	}
}

func TestAReflectedChallengeIsSeen(t *testing.T) {
	c := NewChallenge()
	if !c.Reflects(bytes.Clone(c.Value)) || c.Reflects(NewChallenge().Value) || c.Reflects(nil) {
		t.Error("not seen")
	}
}

func TestBinaryValuesAreHexadecimalOrBase64(t *testing.T) {
	for in, want := range map[string]string{"0x4142": "AB", "0X4142": "AB", "0bQUI=": "AB", "0x141": "\x01\x41"} {
		if got, err := ParseBinary(in); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "4142", "0xzz", "0b!!"} {
		if _, err := ParseBinary(in); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

func TestTheFirstKnownAlgorithmIsChosen(t *testing.T) {
	for offer, want := range map[string]string{"5": "5", "7,5": "7", "6,5,7": "5", "6": "", "": ""} {
		if got := ChooseAlgorithm(offer); got != want {
			t.Errorf("%s: %s", offer, got)
		}
	}
}
