package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/configs"
)

// whole is a right configuration with line numbers that the tests below count on.
const whole = `gateway:
  name: gw-a
  data-dir: data
  tiers:
    - {pool: fast, ram: 64MiB}
pools:
  - {name: fast}
arrays:
  - name: disk1
    file: {gateway: gw-a, path: disk.img, size: 1GiB}
volumes:
  - name: vol1
    from: {array: disk1}
    pool: fast
    iscsi:
      target: "iqn.2026-11.io.forebay:vol1"
`

func TestDefaultsAreFilledIn(t *testing.T) {
	c, err := configs.Parse("/etc/forebay/gw.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	g, v := c.Gateway, c.Volumes[0]
	for what, ok := range map[string]bool{
		"etcd":        c.Etcd.Embedded != nil,
		"domain":      g.FaultDomain == "default",
		"data-dir":    g.DataDir == "/etc/forebay/data",
		"array path":  c.Arrays[0].File.Path == "/etc/forebay/disk.img",
		"iscsi":       len(g.Listen.ISCSI) == 1 && g.Listen.ISCSI[0] == "127.0.0.1:3260",
		"api":         g.Listen.API == "127.0.0.1:7480" && g.Listen.API.On(),
		"nfs":         !g.Listen.NFS.On(),
		"limits":      g.Limits == configs.Limits{Sessions: 256, Unauthenticated: 32, Login: configs.Duration(15 * time.Second), MemoryPerConnection: 16 << 20},
		"log":         g.Log == configs.Log{Level: "info", Format: "json"},
		"policy":      v.Policy.Write == configs.WriteThrough && v.Policy.OnArrayLoss.Hold == 0,
		"block size":  v.ISCSI.BlockSize == 512,
		"lun":         v.ISCSI.LUN == 0,
		"the file":    c.File == "/etc/forebay/gw.yaml",
		"no warnings": len(c.Warnings) == 0,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, c)
		}
	}
}

func TestEveryMistakeIsToldWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		old, with string   // what to change in whole
		want      []string // all lines of the error
	}{
		"unknown key":          {"  name: gw-a", "  name: gw-a\n  nmae: gw-b", []string{`3:3: gateway.nmae: unknown key`}},
		"key given twice":      {"    pool: fast\n", "    pool: fast\n    pool: slow\n", []string{`15:5: volumes[0].pool: given again, after line 14`}},
		"second document":      {"      target: \"iqn.2026-11.io.forebay:vol1\"", "      target: \"iqn.2026-11.io.forebay:vol1\"\n---\na: b", []string{`17:1: a second document: a configuration is one`}},
		"syntax":               {"pools:", "pools: [", []string{`did not find expected`}},
		"alias":                {"name: fast}", "name: &a fast}", []string{`7:12: pools[0].name: anchors and aliases are not accepted: write the value where it belongs`}},
		"merge key":            {"pools:", "<<: {a: b}\npools:", []string{`6:1: <<: merge keys are not accepted: write the values where they belong`}},
		"size":                 {"64MiB", "64Mib", []string{`5:25: gateway.tiers[0].ram: "64Mib" is not a size: write bytes, or a whole number with KiB, MiB, GiB, TiB or PiB, such as 4GiB`}},
		"size too large":       {"64MiB", "9000000PiB", []string{`5:25: gateway.tiers[0].ram: "9000000PiB" is too large`}},
		"tier too small":       {"64MiB", "4KiB", []string{`5:25: gateway.tiers[0].ram: at least 1MiB`}},
		"kind of value":        {"pools:\n  - {name: fast}", "pools: fast", []string{`5:14: gateway.tiers[0].pool: no pool "fast" under pools`, `6:8: pools: "fast" is not a list: write [..] or lines that start with a dash`, `13:11: volumes[0].pool: no pool "fast" under pools`}},
		"missing name":         {"  name: gw-a\n", "", []string{`1:1: gateway.name: missing`}},
		"missing target":       {"target: \"iqn.2026-11.io.forebay:vol1\"", "lun: 0", []string{`15:5: volumes[0].iscsi.target: missing`}},
		"empty mapping":        {"    file: {gateway: gw-a, path: disk.img, size: 1GiB}", "    file:", []string{`10:10: arrays[0].file: empty: write its keys, or {} for none`}},
		"name":                 {"name: vol1", "name: vol/1", []string{`12:11: volumes[0].name: "vol/1" is not a name: up to 63 letters, digits, dots, dashes and underscores, a letter or digit first and last`}},
		"LUN of a file":        {"array: disk1", "array: disk1, lun: 1", []string{`volumes[0].from.lun: array "disk1" has no LUNs`}},
		"LUN of a SAN":         {"array: disk1", "array: disk1, lun: 20000", []string{`volumes[0].from.lun: 20000 is not within 0 to 16383`}},
		"portal":               {"volumes:", "  - name: san1\n    iscsi: {portals: [0.0.0.0:3260, off, \"192.0.2.1:0\"], target: \"iqn.2026-11.example:s\"}\nvolumes:", []string{`arrays[1].iscsi.portals[0]: "0.0.0.0:3260" is no address`, `arrays[1].iscsi.portals[1]: "off" is no address`, `arrays[1].iscsi.portals[2]: "192.0.2.1:0" is no address`}},
		"missing array":        {"array: disk1", "array: disk9", []string{`13:19: volumes[0].from.array: no array "disk9" under arrays`}},
		"missing pool":         {"    pool: fast\n", "    pool: slow\n", []string{`14:11: volumes[0].pool: no pool "slow" under pools`}},
		"pool twice":           {"  - {name: fast}", "  - {name: fast}\n  - {name: fast}", []string{`8:12: pools[1].name: the name "fast" is taken by pools[0].name in line 7`}},
		"foreign gateway":      {"gateway: gw-a", "gateway: gw-b", []string{`10:21: arrays[0].file.gateway: "gw-b" is not this gateway, "gw-a", and files of other gateways are not built yet`}},
		"size of an array":     {"1GiB", "1000", []string{`10:49: arrays[0].file.size: 1000 is not a multiple of 4KiB`}},
		"target name":          {"iqn.2026-11.io", "iqn.2026-13.io", []string{`16:15: volumes[0].iscsi.target: "iqn.2026-13.io.forebay:vol1" is not an iSCSI name: iqn.YEAR-MONTH.REVERSED.DOMAIN:NAME in lower case, such as iqn.2026-11.io.forebay:disk1, or eui. or naa. and hex digits`}},
		"address without port": {"  tiers:", "  listen: {iscsi: [127.0.0.1], api: 127.0.0.1:0}\n  tiers:", []string{`4:20: gateway.listen.iscsi[0]: "127.0.0.1" is not an address: write IP:PORT, such as 127.0.0.1:3260, 0.0.0.0:3260 or [::]:3260, or off`}},
		"address twice":        {"  tiers:", "  listen: {iscsi: [127.0.0.1:7480]}\n  tiers:", []string{`4:3: gateway.listen.api: the address "127.0.0.1:7480" is taken by gateway.listen.iscsi[0] in line 4`}},
		"advertise anything":   {"  tiers:", "  advertise: {iscsi: [0.0.0.0:3260]}\n  tiers:", []string{`4:23: gateway.advertise.iscsi[0]: "0.0.0.0:3260" is no address that an initiator could connect to`}},
		"limit":                {"  tiers:", "  limits: {sessions: 0, login: 15}\n  tiers:", []string{`4:22: gateway.limits.sessions: at least 1`, `4:32: gateway.limits.login: "15" is not a time span: write a number with ms, s, m or h, such as 5s`}},
		"log level":            {"  tiers:", "  log: {level: loud}\n  tiers:", []string{`4:16: gateway.log.level: "loud": one of trace, debug, info, warn, error`}},
		"hold":                 {"    pool: fast\n", "    pool: fast\n    policy: {on-array-loss: hold}\n", []string{`15:29: volumes[0].policy.on-array-loss: "hold": write fail, or hold with a time up to 10m, such as hold 25s`}},
		"etcd both":            {"pools:", "etcd: {embedded: {}, endpoints: []}\npools:", []string{`6:7: etcd: exactly one of embedded, endpoints is wanted, not 2`, `6:33: etcd.endpoints: not built yet: an etcd outside the gateway`}},
		"block size":           {"      target:", "      block-size: 1024\n      target:", []string{`16:19: volumes[0].iscsi.block-size: 1024: 512 or 4096`}},
		"chap without a file":  {"      target:", "      chap: {user: a}\n      target:", []string{`16:7: volumes[0].iscsi.chap.secret-file: missing`}},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(whole, c.old) {
				t.Fatalf("%q is not in the text", c.old)
			}
			expect(t, strings.Replace(whole, c.old, c.with, 1), c.want...)
		})
	}
}

// expect parses a text that is wrong and compares what it is told.
func expect(t *testing.T, text string, want ...string) {
	t.Helper()
	_, err := configs.Parse("f.yaml", []byte(text))
	var all configs.Errors
	if !errors.As(err, &all) {
		t.Fatalf("it is accepted, or the error is of another kind: %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, not %d:\n%s", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "f.yaml:") || !strings.Contains(line, want[i]) {
			t.Errorf("%s\nis not\nf.yaml:%s", line, want[i])
		}
	}
}

// accepted parses a text that is right.
func accepted(t *testing.T, text string) {
	t.Helper()
	if _, err := configs.Parse("f.yaml", []byte(text)); err != nil {
		t.Error(err)
	}
}

// second is another volume and array to stand beside those of whole.
const second = `  - name: vol2
    from: {array: %s}
    pool: fast
    iscsi: {target: "iqn.2026-11.io.forebay:%s", lun: %d%s}
`

func TestVolumesDoNotOverlap(t *testing.T) {
	two := strings.Replace(whole, "volumes:", "  - name: disk2\n    file: {gateway: gw-a, path: other.img}\nvolumes:", 1)
	chap := strings.Replace(two, "      target:", "      chap: {user: a, secret-file: s}\n      target:", 1)
	const access = `volumes[1].iscsi: other initiators or chap than volumes[0], which has the same target`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"one LUN":        {two + fmt.Sprintf(second, "disk2", "vol1", 0, ""), []string{`volumes[1].iscsi: the LUN "iqn.2026-11.io.forebay:vol1/0" is taken by volumes[0].iscsi`}},
		"one array":      {two + fmt.Sprintf(second, "disk1", "vol2", 0, ""), []string{`volumes[1].from: the array "disk1" is taken by volumes[0].from`}},
		"one file":       {strings.Replace(two, "other.img", "x/../disk.img", 1) + fmt.Sprintf(second, "disk2", "vol2", 0, ""), []string{`arrays[1].file.path: the file`}},
		"one target":     {two + fmt.Sprintf(second, "disk2", "vol1", 1, ""), nil},
		"other access":   {two + fmt.Sprintf(second, "disk2", "vol1", 1, `, initiators: ["iqn.2026-11.io.example:*"]`), []string{access}},
		"no secret":      {chap + fmt.Sprintf(second, "disk2", "vol1", 1, ""), []string{access}},
		"other secret":   {chap + fmt.Sprintf(second, "disk2", "vol1", 1, `, chap: {user: a, secret-file: other}`), []string{access}},
		"one secret":     {chap + fmt.Sprintf(second, "disk2", "vol1", 1, `, chap: {user: a, secret-file: s}`), nil},
		"LUN too large":  {two + fmt.Sprintf(second, "disk2", "vol1", 16384, ""), []string{`volumes[1].iscsi.lun: 16384 is not within 0 to 16383`}},
		"nobody gets in": {two + fmt.Sprintf(second, "disk2", "vol2", 0, `, initiators: []`), []string{`volumes[1].iscsi.initiators: an empty list lets nobody in`}},
		"bad initiator":  {two + fmt.Sprintf(second, "disk2", "vol2", 0, `, initiators: ["*:a"]`), []string{`volumes[1].iscsi.initiators[0]: "*:a" is not an iSCSI name`}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				if _, err := configs.Parse("f.yaml", []byte(c.text)); err != nil {
					t.Fatal(err)
				}
				return
			}
			expect(t, c.text, c.want...)
		})
	}
}

// PROTOCOL B8: a policy that can't keep what it promises is refused, whether or not it is built.
func TestB8_APolicyThatCannotKeepItsPromiseIsRefused(t *testing.T) {
	for policy, want := range map[string]string{
		`{write: back, survives: gateway-loss}`:                              "gateway-loss needs a write on at least one peer",
		`{write: back}`:                                                      "power-loss needs a log in the tier",
		`{write: through, survives: power-loss}`:                             "this goes with write: back",
		`{write: back, survives: power-loss, replicas: {same-domain: 1}}`:    "power-loss needs a log in the tier",
		`{write: back, replicas: {same-domain: 2, other-domain: 1}}`:         "at most 2 hold a write",
		`{write: back, survives: nothing, replicas: {same-domain: -1}}`:      "a number below 0",
		`{write: through, replicas: {other-domain: 1}}`:                      "replicas go with write: back",
		`{write: back, survives: everything, replicas: {same-domain: 1}}`:    "one of power-loss, gateway-loss, nothing",
		`{write: back, survives: gateway-loss, replicas: {same-domain: 1}}`:  "", // right, and not built
		`{write: back, survives: nothing}`:                                   "",
		`{write: back, survives: gateway-loss, replicas: {other-domain: 2}}`: "",
	} {
		_, err := configs.Parse("f.yaml", []byte(strings.Replace(whole, "    pool: fast\n", "    pool: fast\n    policy: "+policy+"\n", 1)))
		var told []string
		if err == nil {
			err = errors.New("")
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if line != "" && !strings.Contains(line, "not built yet") {
				told = append(told, line)
			}
		}
		if want == "" && len(told) != 0 || want != "" && !strings.Contains(strings.Join(told, "\n"), want) {
			t.Errorf("%s: not %q but %q", policy, want, told)
		}
	}
}

// The design's full configuration: every key is known, and what isn't built is refused by name.
func TestWhatIsNotBuiltIsRefusedWithAWord(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "design.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = configs.Parse("design.yaml", text)
	var all configs.Errors
	if !errors.As(err, &all) {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, e := range all {
		if !strings.HasPrefix(e.Message, "not built yet: ") {
			t.Errorf("a mistake is told in the design's example: %v", e)
		}
		told[e.Key] = true
	}
	for _, key := range []string{
		"gateway.listen.peers", "gateway.tls",
		"gateway.api.tokens-file", "fault-domains[0].partners",
		"volumes[0].policy.replicas", "volumes[0].limits", "volumes[0].iscsi.address",
		"volumes[1].rules", "volumes[1].nfs.address",
	} {
		if !told[key] {
			t.Errorf("%s is accepted", key)
		}
	}
	if told["volumes[1].nfs"] {
		t.Error("NFS exports are built")
	}
}

func TestWhatIsNoConfigurationIsToldAsSuch(t *testing.T) {
	for text, want := range map[string]string{"": "the file is empty", "# nothing\n": "the file is empty", "[]": "not a mapping", "just words": "not a mapping",
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000): "nested deeper", strings.Repeat("a", 5<<20): "more than a configuration has",
	} {
		if _, err := configs.Parse("f.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := configs.Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
