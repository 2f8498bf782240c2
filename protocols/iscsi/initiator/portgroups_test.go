package initiator

import (
	"reflect"
	"testing"
)

// reports of port groups: of an array with two groups, and others.
const (
	groupsFull = "0000001c" +
		"80 8f 0001 00 00 00 02  0000 0001 0000 0002" +
		"01 8f 0002 00 00 00 01  0000 0003"
	groupsNone = "00000000"
)

func TestPortGroupsAreReadAsFarAsTheyAreWhole(t *testing.T) {
	first := PortGroup{ID: 1, Preferred: true, Ports: []uint16{1, 2}}
	for name, c := range map[string]struct {
		report string
		want   []PortGroup
	}{
		"two groups":               {groupsFull, []PortGroup{first, {ID: 2, State: NonOptimized, Ports: []uint16{3}}}},
		"none":                     {groupsNone, nil},
		"a group without ports":    {"00000008 02 0f 0007 00 00 00 00", []PortGroup{{ID: 7, State: Standby}}},
		"a length that is short":   {"00000010" + groupsFull[8:], []PortGroup{first}},
		"a length that is long":    {"ffffffff" + groupsFull[8:], []PortGroup{first, {ID: 2, State: NonOptimized, Ports: []uint16{3}}}},
		"more ports than are told": {"00000010 80 8f 0001 00 00 00 02  0000 0001 0000 0002 0000 0003", []PortGroup{first}},
		"ports beyond the end":     {"00000010 80 8f 0001 00 00 00 ff  0000 0001 0000 0002", nil},
		"half a group":             {"0000001c 80 8f 0001 00 00 00 02  0000 0001 0000 0002 01 8f 0002", []PortGroup{first}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parsePortGroups(unhex(t, c.report))
			if !ok || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, got %+v\nwant %+v", ok, got, c.want)
			}
		})
	}
	for n := range 4 {
		if _, ok := parsePortGroups(make([]byte, n)); ok {
			t.Errorf("a report of %d bytes was taken", n)
		}
	}
}

func TestAnAccessStateThatIsNotKnownIsNotUsable(t *testing.T) {
	known := map[byte]AccessState{0: Optimized, 1: NonOptimized, 2: Standby, 3: Unavailable, 4: NonOptimized, 14: Offline, 15: Transitioning}
	names := map[string]bool{}
	for code := range byte(16) {
		want, ok := known[code]
		if !ok {
			want = Unavailable
		}
		if got := accessState(code); got != want {
			t.Errorf("state %d is %v", code, got)
		}
		names[accessState(code).String()] = true
	}
	if len(names) != 6 {
		t.Errorf("the names are %v", names)
	}
}

func FuzzReports(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		groups, _ := parsePortGroups(p)
		size := 0
		for _, g := range groups {
			size += portGroupHeader + portLength*len(g.Ports)
		}
		if size > len(p) {
			t.Errorf("%d bytes are groups of %d", len(p), size)
		}
		if k, ok := parseKeys(p); ok && 8+8*len(k.Keys) > len(p) {
			t.Errorf("%d bytes are %d keys", len(p), len(k.Keys))
		}
		if r, ok := parseReservation(p); ok && r.Held && len(p) < 24 {
			t.Errorf("%d bytes are %+v", len(p), r)
		}
	})
}
