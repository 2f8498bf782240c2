package initiator_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

func TestCHAPLetsInWhoKnowsTheSecrets(t *testing.T) {
	both := iscsi.Credentials{User: "fb", Secret: "secret", MutualUser: "array", MutualSecret: "other"}
	oneWay := iscsi.Credentials{User: "fb", Secret: "secret"}
	wrong := both
	wrong.Secret = "guess"
	impostor := both
	impostor.MutualSecret = "never"
	reflected := both
	reflected.MutualSecret = both.Secret
	for name, c := range map[string]struct {
		target *iscsi.Credentials
		ours   iscsi.Credentials
		want   string
	}{
		"one-way":                {&both, oneWay, ""},
		"mutual":                 {&both, both, ""},
		"not asked for":          {nil, oneWay, ""},
		"wrong secret":           {&both, wrong, "authentication failed"},
		"no secret":              {&both, iscsi.Credentials{}, "no CHAP user is given"},
		"the target is not it":   {&both, impostor, "authentication of the target failed"},
		"the target won't prove": {nil, both, "authentication of the target failed"},
		"same secrets both ways": {&both, reflected, "are the same"},
	} {
		t.Run(name, func(t *testing.T) {
			x := initiatortest.New(t, 1<<20)
			x.CHAP = c.target
			s, err := initiator.Dial(t.Context(), initiator.Options{Portal: x.Portal(), Target: initiatortest.Name, CHAP: c.ours})
			if err == nil {
				s.Abandon()
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRedirectionsAreFollowed(t *testing.T) {
	x, other := initiatortest.New(t, 1<<20), initiatortest.New(t, 1<<20)
	x.Redirect = other.Portal() + ",1"
	s := dial(t, x, nil)
	x.Drop()
	if err := s.Ready(t.Context(), 0); err != nil {
		t.Errorf("it is not at the other target: %v", err)
	}
}

func TestRedirectionsInACircleEnd(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Redirect = "192.0.2.1"
	back := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, x.Portal())
	}
	if _, err := initiator.Dial(t.Context(), initiator.Options{Portal: x.Portal(), Target: initiatortest.Name, Dial: back}); err == nil || !strings.Contains(err.Error(), "redirections") {
		t.Errorf("got %v", err)
	}
}

func TestALoginEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // it never answers
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := initiator.Dial(ctx, initiator.Options{Portal: l.Addr().String(), Target: initiatortest.Name}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestDiscoveryListsTargetsAndPortals(t *testing.T) {
	x := initiatortest.New(t, 1<<20)
	x.Records = []iscsi.KeyValue{{Key: "TargetName", Value: "iqn.a"}, {Key: "TargetAddress", Value: "192.0.2.1:3261,1"},
		{Key: "TargetAddress", Value: "[2001:db8::1],1"}, {Key: "TargetName", Value: "iqn.b"}}
	records, err := initiator.Discover(t.Context(), initiator.Options{Portal: x.Portal()})
	if err != nil || len(records) != 2 {
		t.Fatalf("%v, %v", records, err)
	}
	if want := []string{"192.0.2.1:3261", "[2001:db8::1]:3260"}; !slices.Equal(records[0].Portals, want) {
		t.Errorf("portals %v", records[0].Portals)
	}
	if records[1].Name != "iqn.b" || records[1].Portals[0] != x.Portal() {
		t.Errorf("a target without an address: %+v", records[1])
	}
}

func TestURLsAreReadAsLibiscsiWritesThem(t *testing.T) {
	for s, want := range map[string]initiator.URL{
		"iscsi://h/iqn.a/0":                               {Portal: "h:3260", Target: "iqn.a"},
		"iscsi://192.0.2.1:3261/iqn.a:b/17":               {Portal: "192.0.2.1:3261", Target: "iqn.a:b", LUN: 17},
		"iscsi://[2001:db8::1]/iqn.a/0":                   {Portal: "[2001:db8::1]:3260", Target: "iqn.a"},
		"iscsi://u%s@h/iqn.a/0":                           {Portal: "h:3260", Target: "iqn.a", CHAP: iscsi.Credentials{User: "u", Secret: "s"}},
		"iscsi://u%a@b%c@h/iqn.a/0":                       {Portal: "h:3260", Target: "iqn.a", CHAP: iscsi.Credentials{User: "u", Secret: "a@b%c"}},
		"iscsi://u@h/i/0?target_user=t&target_password=p": {Portal: "h:3260", Target: "i", CHAP: iscsi.Credentials{User: "u", MutualUser: "t", MutualSecret: "p"}},
	} {
		if got, err := initiator.ParseURL(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "h/iqn/0", "iscsi://h/iqn", "iscsi://h/iqn/x", "iscsi://h//0", "iscsi:///iqn/0", "iscsi://h:0/iqn/0", "iscsi://h/iqn/0?x=y", "iscsi://h/iqn/70000"} {
		if _, err := initiator.ParseURL(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestAURLErrorKeepsTheSecret(t *testing.T) {
	if _, err := initiator.ParseURL("iscsi://user%topsecret@host/iqn/x"); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("got %v", err)
	}
	for _, arguments := range []string{"target_user=t&target_pasword=topsecret", "target_password=topsecret%", "x=a@topsecret", "b@host/iqn/0?x=topsecret"} {
		if _, err := initiator.ParseURL("iscsi://user%topsecret@host/iqn/0?" + arguments); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: got %v", arguments, err)
		}
	}
}
