package initiator

import (
	"bytes"
	"testing"
)

const cachingPage = "08 12 04 00 ffff 0000 ffff ffff 00 00 0000 00000000" // WCE

func TestCachingIsReadFromModeParameters(t *testing.T) {
	told := Caching{WriteCache: true}
	for name, c := range map[string]struct {
		parameters string
		want       Caching
	}{
		"a write cache":                    {"17 00 10 00" + cachingPage, Caching{WriteCache: true, FUA: true}},
		"none":                             {"17 00 10 00 08 12 00", Caching{FUA: true}},
		"read cache disabled":              {"17 00 00 00 08 12 01", Caching{}},
		"no FUA, read-only":                {"17 00 80 00 08 12 00", Caching{ReadOnly: true}},
		"PS":                               {"17 00 00 00 88 12 00", Caching{}},
		"behind a block descriptor":        {"1f 00 10 08 00002000 00000200 08 12 00", Caching{FUA: true}},
		"behind another page":              {"ff 00 10 00 01 0a 04000000000000000000 08 12 00", Caching{FUA: true}},
		"behind a subpage":                 {"ff 00 10 00 4a 01 0002 0404 08 12 00", Caching{FUA: true}},
		"a subpage of it":                  {"ff 00 10 00 48 01 0002 0000 08 12 00", Caching{FUA: true}},
		"no such page":                     {"0f 00 10 00 01 0a 00000000000000000000", Caching{WriteCache: true, FUA: true}},
		"an empty page":                    {"0f 00 00 00 08 00 00", told},
		"no pages":                         {"03 00 90 00", Caching{WriteCache: true, FUA: true, ReadOnly: true}},
		"half a page":                      {"17 00 10 00 08 12", Caching{WriteCache: true, FUA: true}},
		"descriptors beyond the end":       {"17 00 10 ff" + cachingPage, Caching{WriteCache: true, FUA: true}},
		"a length that hides the page":     {"03 00 10 00 08 12 00", Caching{WriteCache: true, FUA: true}},
		"a length beyond the end":          {"ff 00 10 00 08 12 00", Caching{FUA: true}},
		"a page beyond the end":            {"ff 00 10 00 01 ff 08 12 00", Caching{WriteCache: true, FUA: true}},
		"half a subpage header":            {"ff 00 10 00 48 01 00", Caching{WriteCache: true, FUA: true}},
		"a length shorter than the header": {"00 00 90 00 08 12 00", Caching{WriteCache: true, FUA: true, ReadOnly: true}},
		"half a header":                    {"17 00 90", told},
		"nothing":                          {"", told},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseCaching(unhex(t, c.parameters)); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func FuzzModeSense(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		got := parseCaching(p)
		// What is no page of caching tells nothing of the cache.
		if !got.WriteCache && !bytes.Contains(p, []byte{pageCaching}) && !bytes.Contains(p, []byte{0x80 | pageCaching}) {
			t.Errorf("%x: %+v", p, got)
		}
	})
}
