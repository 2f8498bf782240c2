package initiator

import (
	"strings"
	"testing"
)

// pages of designators, as an array and as tgtd write them.
const (
	designatorsFull = "00 83 0058" +
		"02 01 00 0e  41434d45202020 20 7365 7269 616c" + // T10 "ACME    serial"
		"01 03 00 10  600a0b80 00112233 44556677 8899aabb" + // NAA 6
		"01 02 00 08  0011223344556677" + // EUI-64
		"51 94 00 04  00000003" + // relative target port 3
		"51 95 00 04  0000000a" + // target port group 10
		"53 a8 00 10  69716e2e746172676574 000000000000" // the name of the device
	designatorsTgtd = "00 83 0048" +
		"02 01 00 24  4945542020202020 3030303130303031 0000000000000000000000000000000000000000" +
		"01 03 00 08  3000000100000001" +
		"01 03 00 10  60000000000000000e00000000010001"
)

func TestTheBestNameOfALUNIsTaken(t *testing.T) {
	const (
		naa6 = "01 03 00 10 60112233445566778899aabbccddeeff"
		naa5 = "01 03 00 08 5011223344556677"
		naa3 = "01 03 00 08 3011223344556677"
		naa2 = "01 03 00 08 2011223344556677"
		eui  = "01 02 00 08 0011223344556677"
		name = "03 08 00 0c 69716e2e6c756e3100000000"
		t10  = "02 01 00 0a 41434d45 20202020 3131"
	)
	for title, c := range map[string]struct {
		list string
		want string
	}{
		"NAA 6 before all":               {t10 + name + eui + naa2 + naa3 + naa5 + naa6, "naa.60112233445566778899aabbccddeeff"},
		"in the other order":             {naa6 + naa5 + naa3 + naa2 + eui + name + t10, "naa.60112233445566778899aabbccddeeff"},
		"NAA 5":                          {t10 + name + eui + naa5, "naa.5011223344556677"},
		"NAA 3":                          {t10 + eui + naa3, "naa.3011223344556677"},
		"NAA 2":                          {naa2 + eui, "naa.2011223344556677"},
		"EUI-64":                         {t10 + name + eui, "eui.0011223344556677"},
		"EUI-64 of 12 bytes":             {"01 02 00 0c 00112233445566778899aabb", "eui.00112233445566778899aabb"},
		"EUI-64 of 16 bytes":             {"01 02 00 10 00112233445566778899aabbccddeeff", "eui.00112233445566778899aabbccddeeff"},
		"SCSI name string":               {t10 + name, "iqn.lun1"},
		"T10":                            {t10, "t10.ACME    11"},
		"T10, padded":                    {"02 01 00 0c 41434d45 20202020 3131 2000", "t10.ACME    11"},
		"T10, binary":                    {"01 01 00 09 41434d4520202020 ff", "t10.41434d4520202020ff"},
		"T10 that can't be printed":      {"02 01 00 09 41434d4520202020 0a", "t10.41434d45202020200a"},
		"the smaller of two":             {"01 03 00 08 5011223344556678" + naa5, "naa.5011223344556677"},
		"the smaller of two, first":      {naa5 + "01 03 00 08 5011223344556678", "naa.5011223344556677"},
		"NAA 6 that is too short":        {"01 03 00 08 6011223344556677" + eui, "eui.0011223344556677"},
		"NAA 5 that is too long":         {"01 03 00 10 50112233445566770000000000000000" + eui, "eui.0011223344556677"},
		"NAA of nothing":                 {"01 03 00 00" + eui, "eui.0011223344556677"},
		"an unheard NAA":                 {"01 03 00 08 9011223344556677", ""},
		"EUI-64 of a wrong length":       {"01 02 00 07 00112233445566", ""},
		"a name string of nothing":       {"03 08 00 04 00000000", ""},
		"a name string with a line feed": {"03 08 00 04 69716e0a", ""},
		"T10 of nothing":                 {"02 01 00 00", ""},
		"names of the port":              {"61 93 00 08 5011223344556677", ""},
		"names of the device":            {"61 a3 00 08 5011223344556677", ""},
		"a descriptor beyond the end":    {eui + "01 03 00 10 60112233", "eui.0011223344556677"},
		"half a header":                  {eui + "01 03", "eui.0011223344556677"},
		"nothing":                        {"", ""},
	} {
		t.Run(title, func(t *testing.T) {
			list := unhex(t, c.list)
			page := append([]byte{0, pageDesignators, 0, byte(len(list))}, list...)
			if got := parseDesignators(cutVital(page, pageDesignators)); got.Name != c.want {
				t.Errorf("got %q, want %q", got.Name, c.want)
			}
		})
	}
}

func TestDesignatorsNameTheLUNAndThePort(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		want Designators
	}{
		"an array":            {designatorsFull, Designators{"naa.600a0b8000112233445566778899aabb", 10, 3}},
		"tgtd":                {designatorsTgtd, Designators{Name: "naa.60000000000000000e00000000010001"}},
		"a page without end":  {strings.Replace(designatorsFull, "0058", "ffff", 1), Designators{"naa.600a0b8000112233445566778899aabb", 10, 3}},
		"a page that ends":    {strings.Replace(designatorsFull, "0058", "0014", 1), Designators{Name: "t10.ACME    serial"}},
		"a port of two bytes": {"00 83 0006 51 94 00 02 0003", Designators{}},
		"no page":             {"", Designators{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseDesignators(cutVital(unhex(t, c.page), pageDesignators)); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
