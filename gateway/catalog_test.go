package gateway

import (
	"net"
	"slices"
	"testing"

	"forebay/configs"
	"forebay/protocols/iscsi"
)

// exported is a volume of which only the catalog's part is there.
func exported(x configs.ISCSIExport) *disk {
	return &disk{config: configs.Volume{ISCSI: &x}, device: &device{}}
}

var portal = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 3260}

func TestVolumesOfOneTargetAreItsLUNs(t *testing.T) {
	a, b, other := exported(configs.ISCSIExport{Target: "iqn.a"}), exported(configs.ISCSIExport{Target: "iqn.a", LUN: 5}), exported(configs.ISCSIExport{Target: "iqn.b"})
	c := newCatalog([]*disk{a, b, other}, nil)
	target, ok := c.Target("iqn.a")
	if !ok || target.Name != "iqn.a" {
		t.Fatal(target, ok)
	}
	if luns := target.LUNs(); len(luns) != 2 || luns[0] != a.device || luns[5] != b.device {
		t.Errorf("%v", luns)
	}
	if target, ok := c.Target("iqn.b"); !ok || len(target.LUNs()) != 1 || target.LUNs()[0] != other.device {
		t.Error("the other target has not its own")
	}
	if target, ok := c.Target("iqn.none"); ok {
		t.Errorf("there is no such target, and %v", target)
	}
}

func TestAccessLists(t *testing.T) {
	for _, c := range []struct {
		list      []string
		initiator string
		want      bool
	}{
		{nil, "iqn.any", true},
		{[]string{"iqn.esx-1"}, "iqn.esx-1", true},
		{[]string{"iqn.esx-1"}, "iqn.esx-10", false},
		{[]string{"iqn.esx-1"}, "iqn.esx-", false},
		{[]string{"iqn.esx-1"}, "", false},
		{[]string{"iqn.kvm", "iqn.esx-1"}, "iqn.esx-1", true},
		{[]string{"iqn.1998-01.com.vmware:*"}, "iqn.1998-01.com.vmware:esx-1", true},
		{[]string{"iqn.1998-01.com.vmware:*"}, "iqn.1998-01.com.vmware:", true},
		{[]string{"iqn.1998-01.com.vmware:*"}, "iqn.1998-01.com.vmware", false},
		{[]string{"iqn.1998-01.com.vmware:*"}, "iqn.2026-11.iqn.1998-01.com.vmware:esx", false},
		{[]string{"*"}, "iqn.any", true},
		{[]string{"iqn.a*", "iqn.b"}, "iqn.b", true},
		{[]string{"iqn.a*", "iqn.b"}, "iqn.bb", false},
	} {
		allowed := allows(c.list)
		if got := allowed == nil || allowed(c.initiator); got != c.want {
			t.Errorf("%q lets %q in: %v", c.list, c.initiator, got)
		}
	}
}

func TestDiscoveryListsWhatTheInitiatorMayLogInTo(t *testing.T) {
	volumes := []*disk{
		exported(configs.ISCSIExport{Target: "iqn.z", Initiators: []string{"iqn.esx-*"}}),
		exported(configs.ISCSIExport{Target: "iqn.m", Initiators: []string{"iqn.kvm"}}),
		exported(configs.ISCSIExport{Target: "iqn.a"}),
	}
	c := newCatalog(volumes, nil)
	for initiator, want := range map[string][]string{
		"iqn.esx-1": {"iqn.a", "iqn.z"}, "iqn.kvm": {"iqn.a", "iqn.m"}, "iqn.else": {"iqn.a"},
	} {
		var names []string
		for _, info := range c.Targets(initiator, portal) {
			names = append(names, info.Name)
			if !slices.Equal(info.Portals, []string{"192.0.2.7:3260,1"}) {
				t.Errorf("%s is at %q, not where it was asked for", info.Name, info.Portals)
			}
			if target, ok := c.Target(info.Name); !ok || target.Allowed != nil && !target.Allowed(initiator) {
				t.Errorf("%s is listed to %s, who may not log in", info.Name, initiator)
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s is told of %q", initiator, names)
		}
	}
}

func TestDiscoveryAnswersWhatIsAdvertised(t *testing.T) {
	c := newCatalog([]*disk{exported(configs.ISCSIExport{Target: "iqn.a"})}, []configs.Address{"198.51.100.1:3260", "[2001:db8::1]:860"})
	if list := c.Targets("iqn.any", portal); len(list) != 1 || !slices.Equal(list[0].Portals, []string{"198.51.100.1:3260,1", "[2001:db8::1]:860,1"}) {
		t.Errorf("%+v", list)
	}
}

func TestCredentials(t *testing.T) {
	one := configs.CHAP{User: "esx", Secret: []byte("secret of the host")}
	both := one
	both.Mutual = &configs.CHAP{User: "arr", Secret: []byte("secret of the target")}
	for name, c := range map[string]struct {
		chap *configs.CHAP
		want *iscsi.Credentials
	}{
		"none":    {nil, nil},
		"one way": {&one, &iscsi.Credentials{User: "esx", Secret: "secret of the host"}},
		"mutual":  {&both, &iscsi.Credentials{User: "esx", Secret: "secret of the host", MutualUser: "arr", MutualSecret: "secret of the target"}},
	} {
		target, _ := newCatalog([]*disk{exported(configs.ISCSIExport{Target: "iqn.a", CHAP: c.chap})}, nil).Target("iqn.a")
		if got := target.CHAP; (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
