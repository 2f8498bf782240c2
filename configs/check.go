package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkAll holds the rules between values. It sees values as far as they could be read: what was refused already reads as zero, and
// document.refuse is silent about it.
func checkAll(c *Config, d *document) {
	checkGateway(c, d)
	if d.has("etcd") {
		d.exactlyOne("etcd", "embedded", "endpoints")
	}
	for i, f := range c.FaultDomains {
		d.requireName(fmt.Sprintf("fault-domains[%d].name", i), f.Name)
	}
	for i, p := range c.Pools {
		d.requireName(fmt.Sprintf("pools[%d].name", i), p.Name)
	}
	for i := range c.Arrays {
		checkArray(c, d, fmt.Sprintf("arrays[%d]", i), &c.Arrays[i])
	}
	for i := range c.Volumes {
		checkVolume(c, d, fmt.Sprintf("volumes[%d]", i), &c.Volumes[i])
	}
	checkUnique(c, d)
}

// names go into etcd's keys, metrics and paths.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

func (d *document) requireName(key, name string) {
	switch {
	case name == "":
		d.refuse(key, "missing")
	case !nameForm.MatchString(name):
		d.refuse(key, "%q is not a name: up to 63 letters, digits, dots, dashes and underscores, a letter or digit first and last", name)
	}
}

func (d *document) require(key, value string) bool {
	if value == "" {
		d.refuse(key, "missing")
	}
	return value != ""
}

func (d *document) requireOneOf(key, value string, values ...string) {
	if value == "" && !d.has(key) || slices.Contains(values, value) {
		return
	}
	d.refuse(key, "%q: one of %s", value, strings.Join(values, ", "))
}

func (d *document) requireAtLeast(key string, value, least int64, shown string) {
	if value < least {
		d.refuse(key, "at least %s", shown)
	}
}

// exactlyOne reports unless one of the keys is given.
func (d *document) exactlyOne(at string, keys ...string) {
	given := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !d.has(at + "." + key) })
	if len(given) != 1 {
		d.refuse(at, "exactly one of %s is wanted, not %d", strings.Join(keys, ", "), len(given))
	}
	for _, key := range given {
		if d.places[at+"."+key].value.ShortTag() == "!!null" {
			d.refuse(at+"."+key, "empty: write its keys, or {} for none")
		}
	}
}

// uniques reports the second of two that claim the same thing.
type uniques struct {
	d    *document
	what string
	seen map[string]string // claim to the key that has it
}

func (d *document) unique(what string) uniques { return uniques{d, what, map[string]string{}} }

func (u uniques) claim(key, claim string) {
	if claim == "" {
		return
	}
	if first, taken := u.seen[claim]; taken {
		line, _ := u.d.find(first)
		u.d.refuse(key, "%s %q is taken by %s in line %d", u.what, claim, first, line)
		return
	}
	u.seen[claim] = key
}

// claimPath is claim of a path, in whatever way it is written.
func (u uniques) claimPath(key, path string) {
	if path != "" {
		u.claim(key, filepath.Clean(path))
	}
}

func checkUnique(c *Config, d *document) {
	domains, pools, arrays, volumes := d.unique("the name"), d.unique("the name"), d.unique("the name"), d.unique("the name")
	media, sources, luns := d.unique("the file or device"), d.unique("the array"), d.unique("the LUN")
	for i, t := range c.Gateway.Tiers { // an array's data are not written over by a log
		at := fmt.Sprintf("gateway.tiers[%d]", i)
		if t.Flash != nil {
			media.claimPath(at+".flash.path", t.Flash.Path)
		}
		if t.Log != nil {
			media.claimPath(at+".log.path", t.Log.Path)
		}
	}
	for i, f := range c.FaultDomains {
		domains.claim(fmt.Sprintf("fault-domains[%d].name", i), f.Name)
	}
	for i, p := range c.Pools {
		pools.claim(fmt.Sprintf("pools[%d].name", i), p.Name)
	}
	for i, a := range c.Arrays {
		arrays.claim(fmt.Sprintf("arrays[%d].name", i), a.Name)
		if a.File != nil {
			media.claimPath(fmt.Sprintf("arrays[%d].file.path", i), a.File.Path)
		}
	}
	for i, v := range c.Volumes {
		at := fmt.Sprintf("volumes[%d]", i)
		volumes.claim(at+".name", v.Name)
		if v.From.Array != "" { // two caches over one medium would not see each other's writes
			sources.claim(at+".from", strings.TrimSuffix(fmt.Sprintf("%s lun %d %s", v.From.Array, v.From.LUN, v.From.Path), " lun 0 "))
		}
		if v.ISCSI != nil && v.ISCSI.Target != "" {
			luns.claim(at+".iscsi", fmt.Sprintf("%s/%d", v.ISCSI.Target, v.ISCSI.LUN))
		}
	}
}
