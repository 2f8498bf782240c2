package rpc

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"forebay/protocols/nfs/xdr"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A GETATTR as the Linux client sends it, without its arguments.
const linuxCall = "11223344 00000000 00000002 000186a3 00000003 00000001" +
	"00000001 0000001c 00a1b2c3 00000002 68310000 000003e8 00000064 00000001 00000004" + "00000000 00000000"

func TestACallHeaderLiesOnTheWireAsTheRFCSays(t *testing.T) {
	want := CallHeader{XID: 0x11223344, Program: 100003, Version: 3, Procedure: 1,
		Cred: Credentials{Flavor: AuthSys, Stamp: 0xa1b2c3, Machine: []byte("h1"), UID: 1000, GID: 100}}
	want.Cred.SetGIDs([]uint32{4})
	wire := fromHex(t, linuxCall)
	var e xdr.Encoder
	if want.Encode(&e); string(e.Bytes()) != string(wire) {
		t.Errorf("% x", e.Bytes())
	}
	d := xdr.NewDecoder(append(wire, "args"...))
	var got CallHeader
	if err := got.Decode(&d); err != nil || !reflect.DeepEqual(got, want) || string(d.Rest()) != "args" {
		t.Errorf("%v %+v %q", err, got, d.Rest())
	}
	for n := range wire {
		d := xdr.NewDecoder(wire[:n])
		if err := got.Decode(&d); !errors.Is(err, ErrProtocol) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestABadCallHeaderGetsItsAnswer(t *testing.T) {
	head := "00000001 00000000 00000002 000186a3 00000003 00000001 "
	for _, c := range []struct {
		name, wire string
		want       error
	}{
		{"a reply", "00000001 00000001", ErrProtocol},
		{"RPC version 3", "00000001 00000000 00000003", ErrRPCMismatch},
		{"AUTH_SHORT", head + "00000002 00000000 00000000 00000000", AuthRejectedCred},
		{"RPCSEC_GSS", head + "00000006 00000004 00000001 00000000 00000000", AuthRejectedCred},
		{"credentials of 404 bytes", head + "00000000 00000194" + strings.Repeat("00", 412), ErrProtocol},
		{"AUTH_SYS without a body", head + "00000001 00000000 00000000 00000000", AuthBadCred},
		{"17 groups", head + "00000001 00000058 00000000 00000000 00000000 00000000 00000011" + strings.Repeat("00", 17*4) + "00000000 00000000", AuthBadCred},
		{"a machine of 256 bytes", head + "00000001 00000114 00000000 00000100" + strings.Repeat("61", 256) + "00000000 00000000 00000000 00000000 00000000", AuthBadCred},
		{"AUTH_NONE with a body", head + "00000000 00000004 01020304 00000000 00000000", nil},
		{"a verifier", head + "00000000 00000000 00000000 00000004 01020304", nil},
		{"a verifier of 404 bytes", head + "00000000 00000000 00000000 00000194" + strings.Repeat("00", 404), ErrProtocol},
	} {
		d := xdr.NewDecoder(fromHex(t, c.wire))
		var h CallHeader
		if err := h.Decode(&d); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestARepliesVerdictLiesOnTheWireAsTheRFCSays(t *testing.T) {
	for _, c := range []struct {
		verdict error
		wire    string
	}{
		{nil, "00000007 00000001 00000000 00000000 00000000 00000000"},
		{ProgUnavail, "00000007 00000001 00000000 00000000 00000000 00000001"},
		{&MismatchError{Of: ProgMismatch, Low: 3, High: 4}, "00000007 00000001 00000000 00000000 00000000 00000002 00000003 00000004"},
		{ProcUnavail, "00000007 00000001 00000000 00000000 00000000 00000003"},
		{GarbageArgs, "00000007 00000001 00000000 00000000 00000000 00000004"},
		{SystemErr, "00000007 00000001 00000000 00000000 00000000 00000005"},
		{&MismatchError{Of: ErrRPCMismatch, Low: 2, High: 2}, "00000007 00000001 00000001 00000000 00000002 00000002"},
		{AuthTooWeak, "00000007 00000001 00000001 00000001 00000005"},
	} {
		wire := fromHex(t, c.wire)
		var e xdr.Encoder
		if encodeReply(&e, 7, c.verdict); string(e.Bytes()) != string(wire) {
			t.Errorf("%v: % x", c.verdict, e.Bytes())
		}
		if xid, _, verdict, err := parseReply(wire); xid != 7 || err != nil || !reflect.DeepEqual(verdict, c.verdict) {
			t.Errorf("%v: %d %v %v", c.verdict, xid, verdict, err)
		}
		for n := range wire {
			if _, _, verdict, err := parseReply(wire[:n]); !errors.Is(err, ErrProtocol) {
				t.Errorf("%v, cut to %d bytes: %v %v", c.verdict, n, verdict, err)
			}
		}
	}
}

func TestABadReplyHeaderIsNone(t *testing.T) {
	for name, wire := range map[string]string{
		"a call":               "00000007 00000000 00000000 00000000 00000000 00000000",
		"a reply status":       "00000007 00000001 00000002 00000000 00000000 00000000",
		"an accept status":     "00000007 00000001 00000000 00000000 00000000 00000006",
		"a reject status":      "00000007 00000001 00000001 00000002 00000000 00000000",
		"a verifier too long":  "00000007 00000001 00000000 00000000 00000194" + strings.Repeat("00", 408),
		"a verifier of 4 GiB":  "00000007 00000001 00000000 00000000 ffffffff 00000000",
		"nothing":              "",
		"an XID, nothing else": "00000007",
	} {
		if _, _, verdict, err := parseReply(fromHex(t, wire)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v %v", name, verdict, err)
		}
	}
}

func TestCredentialsArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := Credentials{Flavor: AuthSys, Stamp: rapid.Uint32().Draw(t, "stamp"), UID: rapid.Uint32().Draw(t, "uid"), GID: rapid.Uint32().Draw(t, "gid"),
			Machine: []byte(rapid.StringN(0, 64, 255).Draw(t, "machine"))}
		gids := rapid.SliceOfN(rapid.Uint32(), 0, 20).Draw(t, "gids")
		if all := sent.SetGIDs(gids); all != (len(gids) <= 16) || len(sent.GIDs()) != min(len(gids), 16) {
			t.Fatalf("%d groups, of %d", len(sent.GIDs()), len(gids))
		}
		var e xdr.Encoder
		(&CallHeader{Cred: sent}).Encode(&e)
		d := xdr.NewDecoder(e.Bytes())
		var h CallHeader
		if err := h.Decode(&d); err != nil || !reflect.DeepEqual(h.Cred, sent) || len(d.Rest()) != 0 {
			t.Fatalf("%v %+v", err, h.Cred)
		}
	})
}
