package configs_test

import (
	"strings"
	"testing"
)

// What a tier names is its own, large enough, and made of whole blocks.
func TestMistakesOfTiersAreTold(t *testing.T) {
	const tier, plain = "gateway.tiers[0]", "{pool: fast, ram: 64MiB}"
	for name, c := range map[string]struct {
		tiers string
		want  []string
	}{
		"RAM in parts of blocks":   {`{pool: fast, ram: 2000001}`, []string{tier + `.ram: 2000001 is not a multiple of 4KiB`}},
		"two of one pool":          {plain + ", " + plain, []string{`gateway.tiers[1].pool: the pool "fast" is taken by gateway.tiers[0].pool`}},
		"a log of no medium":       {`{pool: fast, ram: 64MiB, log: {size: 64MiB}}`, []string{tier + `.log.path: missing`}},
		"a flash of no medium":     {`{pool: fast, ram: 64MiB, flash: {size: 64MiB}}`, []string{tier + `.flash.path: missing`}},
		"a small log":              {`{pool: fast, ram: 64MiB, log: {path: l, size: 63MiB}}`, []string{tier + `.log.size: 63MiB: at least 64MiB`}},
		"a log in parts of blocks": {`{pool: fast, ram: 64MiB, log: {path: l, size: 80000001}}`, []string{tier + `.log.size: 80000001: at least`}},
		"a small flash":            {`{pool: fast, ram: 64MiB, flash: {path: f, size: 15MiB}}`, []string{tier + `.flash.size: 15MiB: at least 16MiB`}},
		"a flash in parts":         {`{pool: fast, ram: 64MiB, flash: {path: f, size: 80000001}}`, []string{tier + `.flash.size: 80000001: at least`}},
		"one medium for both":      {`{pool: fast, ram: 64MiB, flash: {path: f}, log: {path: x/../f}}`, []string{tier + `.log.path: the file or device`}},
		"an array's file":          {`{pool: fast, ram: 64MiB, log: {path: disk.img}}`, []string{`arrays[0].file.path: the file or device`}},
		"one, written otherwise":   {`{pool: fast, ram: 64MiB, flash: {path: /x/f}, log: {path: /x/../x/f}}`, []string{tier + `.log.path: the file or device`}},
		"one log for two":          {`{pool: fast, ram: 64MiB, log: {path: l}}, {pool: slow, ram: 64MiB, log: {path: l}}`, []string{`gateway.tiers[1].log.path: the file or device`}},
		"one flash for two":        {`{pool: fast, ram: 64MiB, flash: {path: f}}, {pool: slow, ram: 64MiB, flash: {path: f}}`, []string{`gateway.tiers[1].flash.path: the file or device`}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("    - "+plain, "    ["+c.tiers+"]", "  - {name: fast}", "  [{name: fast}, {name: slow}]").Replace(whole)
			expect(t, text, c.want...)
		})
	}
}

// What no connection could work with is refused.
func TestMistakesOfLimitsAreTold(t *testing.T) {
	for limit, want := range map[string]string{
		"memory-per-connection: 1000KiB": "memory-per-connection: at least 1MiB",
		"login: 999ms":                   "login: at least 1s",
		"unauthenticated: 0":             "unauthenticated: at least 1",
	} {
		expect(t, strings.Replace(whole, "  tiers:", "  limits: {"+limit+"}\n  tiers:", 1), "gateway.limits."+want)
	}
}

// PROTOCOL B8: the log that keeps a promise is the one of the volume's own pool, and a word that is no policy promises nothing.
func TestB8_APromiseIsKeptByTheLogOfTheVolumesPool(t *testing.T) {
	two := strings.NewReplacer("    - {pool: fast, ram: 64MiB}", "    - {pool: fast, ram: 64MiB}\n    - {pool: slow, ram: 64MiB, log: {path: l}}",
		"  - {name: fast}", "  - {name: fast}\n  - {name: slow}").Replace(whole)
	for policy, want := range map[string]string{
		"{write: back}": "volumes[0].policy.survives: power-loss needs a log in the tier of pool \"fast\"",
		"{write: both}": "volumes[0].policy.write: \"both\": one of through, back",
	} {
		expect(t, strings.Replace(two, "    pool: fast\n", "    pool: fast\n    policy: "+policy+"\n", 1), want)
	}
}

// What the log acknowledges is on the filer later: who reads past it, through another export, would not see that.
func TestAFilerWithSeveralExportsIsNotWrittenBack(t *testing.T) {
	text := strings.NewReplacer("ram: 64MiB}", "ram: 64MiB, log: {path: l}}", "    nfs: {export: /vms}", "    nfs: {export: /vms}\n    policy: {write: back}").Replace(wholeNFS)
	another := func(array string) string {
		return text + "  - name: more\n    from: {array: " + array + "}\n    pool: fast\n    nfs: {export: /more}\n"
	}
	accepted(t, text)
	expect(t, another("filer1"), `volumes[0].policy.write: array "filer1" has several exports`, `volumes[2].from: the array "filer1" is taken by volumes[0].from`)
	accepted(t, strings.Replace(another("filer2"), "volumes:\n", "  - name: filer2\n    nfs: {server: filer.example, export: /vol/b}\nvolumes:\n", 1))
}
