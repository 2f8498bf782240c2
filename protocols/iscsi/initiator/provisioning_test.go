package initiator

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// unhex reads hexadecimal with blanks between.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pages of block limits, as an array and as tgtd write them.
const (
	limitsFull = "00 b0 003c 01 00 0010 00002000 00000800 00000000 00001000 00000040 00000010 80000004 0000000000010000" +
		"00000000 0000000000000000 00000000 00000000"
	limitsTgtd = "00 b0 003c 00 80 0000 00000000 00000000 00000000 ffffffff ffffffff 00000000 00000000 0000000000000000" +
		"00000000 0000000000000000 00000000 00000000"
)

func TestProvisioningIsReadAsFarAsThePagesGo(t *testing.T) {
	for name, c := range map[string]struct {
		limits, provisioning string
		want                 Provisioning
	}{
		"an array": {limitsFull, "00 b2 0004 00 e4 02 00", Provisioning{MaxTransfer: 0x2000, MaxUnmapBlocks: 0x1000, MaxUnmapExtents: 0x40,
			UnmapGrain: 0x10, UnmapAlign: 4, MaxWriteSame: 0x10000, Unmap: true, WriteSameUnmap: true, WSNZ: true}},
		"tgtd": {limitsTgtd, "00 b2 0004 00 e4 02 00", Provisioning{MaxUnmapBlocks: 1<<32 - 1, MaxUnmapExtents: 1<<32 - 1,
			Unmap: true, WriteSameUnmap: true}},
		"an alignment that is not valid": {strings.Replace(limitsFull, "80000004", "00000004", 1), "", Provisioning{MaxTransfer: 0x2000,
			MaxUnmapBlocks: 0x1000, MaxUnmapExtents: 0x40, UnmapGrain: 0x10, MaxWriteSame: 0x10000, WSNZ: true}},
		"limits of SBC-2": {"00 b0 000c 00 00 0010 00002000 00000800", "", Provisioning{MaxTransfer: 0x2000}},
		"limits without the end": {strings.Replace(limitsFull, "003c", "0023", 1), "", Provisioning{MaxTransfer: 0x2000, MaxUnmapBlocks: 0x1000, MaxUnmapExtents: 0x40,
			UnmapGrain: 0x10, UnmapAlign: 4, WSNZ: true}},
		"unmapping by UNMAP": {"", "00 b2 0004 00 80 00 00", Provisioning{Unmap: true}},
		"by WRITE SAME(16)":  {"", "00 b2 0004 00 40 00 00", Provisioning{WriteSameUnmap: true}},
		"no pages":           {"", "", Provisioning{}},
		"a header only":      {"00 b0 003c", "00 b2 0004", Provisioning{}},
		"empty pages":        {"00 b0 0000 01 00 0010 00002000", "00 b2 0000 00 e4 02 00", Provisioning{}},
		"of another page":    {"00 b1 003c 01 00 0010 00002000", "00 b1 0004 00 e4 02 00", Provisioning{}},
		"of no LUN":          {"7f b0 003c 01 00 0010 00002000", "7f b2 0004 00 e4 02 00", Provisioning{}},
	} {
		t.Run(name, func(t *testing.T) {
			var got Provisioning
			got.takeLimits(cutVital(unhex(t, c.limits), pageBlockLimits))
			got.takeProvisioning(cutVital(unhex(t, c.provisioning), pageProvisioning))
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// Every prefix of a page must give what is told or nothing, and never more.
func TestPagesThatAreCutOffTellNothingThatIsNotThere(t *testing.T) {
	var whole Provisioning
	whole.takeLimits(unhex(t, limitsFull))
	for n := range len(unhex(t, limitsFull)) {
		var got Provisioning
		got.takeLimits(cutVital(unhex(t, limitsFull)[:n], pageBlockLimits))
		if got.MaxTransfer != 0 && got.MaxTransfer != whole.MaxTransfer || got.UnmapGrain != 0 && got.UnmapGrain != whole.UnmapGrain ||
			got.UnmapAlign != 0 && got.UnmapAlign != whole.UnmapAlign || got.MaxWriteSame != 0 && got.MaxWriteSame != whole.MaxWriteSame {
			t.Errorf("%d bytes: %+v", n, got)
		}
	}
}

func TestCommandsOfProvisioningLieOnTheWireAsTheStandardSays(t *testing.T) {
	block := make([]byte, 512)
	for name, c := range map[string]struct {
		make     func(c *Command)
		cdb, out string
	}{
		"flush": {(*Command).Flush, "91000000 00000000 00000000 00000000", ""},
		"unmap": {func(c *Command) { c.Unmap([]Extent{{1 << 32, 2}, {7, 1 << 31}}) }, "42000000 00000000 28000000 00000000",
			"0026 0020 00000000 0000000100000000 00000002 00000000 0000000000000007 80000000 00000000"},
		"unmap of nothing":            {func(c *Command) { c.Unmap(nil) }, "42000000 00000000 08000000 00000000", "0006 0000 00000000"},
		"zeros":                       {func(c *Command) { c.WriteZeroes(1<<40|5, 9, false, block) }, "93000000 01000000 00050000 00090000", hex.EncodeToString(block)},
		"zeros that may go":           {func(c *Command) { c.WriteZeroes(5, 9, true, block) }, "93080000 00000000 00050000 00090000", hex.EncodeToString(block)},
		"an unmap of what was a read": {func(c *Command) { c.In = block; c.Unmap(nil) }, "42000000 00000000 08000000 00000000", "0006 0000 00000000"},
		"zeros of what was a read": {func(c *Command) { c.In = block; c.WriteZeroes(0, 1, false, block) }, "93000000 00000000 00000000 00010000",
			hex.EncodeToString(block)},
		"a flush of what was a read": {func(c *Command) { c.In = block; c.CDB[15] = 9; c.Flush() }, "91000000 00000000 00000000 00000000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			command := &Command{Out: []byte{1}}
			c.make(command)
			if !slices.Equal(command.CDB[:], unhex(t, c.cdb)) || !slices.Equal(command.Out, unhex(t, c.out)) || command.In != nil {
				t.Errorf("CDB %x\nout %x, in %x", command.CDB, command.Out, command.In)
			}
		})
	}
}

func TestAnUnmapTakesAsManyExtentsAsItsListHasRoomFor(t *testing.T) {
	var c Command
	c.Unmap(make([]Extent, MaxExtents))
	if n := int(be.Uint16(c.CDB[7:])); n != len(c.Out) || n+extentLength <= 1<<16-1 {
		t.Errorf("%d bytes for a list of %d", n, len(c.Out))
	}
	defer func() {
		if recover() == nil {
			t.Error("one more was taken")
		}
	}()
	c.Unmap(make([]Extent, MaxExtents+1))
}

func FuzzVPD(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		var limits, provisioning Provisioning
		limits.takeLimits(cutVital(p, pageBlockLimits))
		provisioning.takeProvisioning(cutVital(p, pageProvisioning))
		d := parseDesignators(cutVital(p, pageDesignators))
		if len(d.Name) > 2*len(p)+len("naa.") {
			t.Errorf("%d bytes are a name of %d", len(p), len(d.Name))
		}
		for _, r := range d.Name {
			if r < ' ' || r > '~' {
				t.Errorf("the name %q", d.Name)
			}
		}
	})
}
