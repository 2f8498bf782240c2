package configs

import (
	"fmt"
	"path"
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
	checkFolders(c, d)
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

func (u uniques) claim(key, claim string) (first bool) {
	if claim == "" {
		return true
	}
	if first, taken := u.seen[claim]; taken {
		line, _ := u.d.find(first)
		u.d.refuse(key, "%s %q is taken by %s in line %d", u.what, claim, first, line)
		return false
	}
	u.seen[claim] = key
	return true
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
	folders, targets := d.unique("the folder"), d.unique("the array's LUN")
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
		if a.Directory != nil {
			folders.claimPath(fmt.Sprintf("arrays[%d].directory.path", i), a.Directory.Path)
		}
	}
	for i, v := range c.Volumes {
		at := fmt.Sprintf("volumes[%d]", i)
		volumes.claim(at+".name", v.Name)
		if v.From.Array != "" { // two caches over one medium would not see each other's writes
			own := sources.claim(at+".from", strings.TrimSuffix(fmt.Sprintf("%s lun %d %s", v.From.Array, v.From.LUN, v.From.Path), " lun 0 "))
			if a := c.array(v.From.Array); own && a != nil { // nor over one that has several names
				switch {
				case a.ISCSI != nil && a.ISCSI.Target != "":
					targets.claim(at+".from", fmt.Sprintf("%s/%d", a.ISCSI.Target, v.From.LUN))
				case a.NFS != nil && v.From.Path != "":
					media.claim(at+".from.path", strings.Replace(fmt.Sprintf("%s:%d:%s", a.NFS.Server, a.NFS.Port, path.Join(a.NFS.Export, v.From.Path)), ":0:", ":", 1))
				case a.Directory != nil && v.From.Path != "":
					media.claimPath(at+".from.path", filepath.Join(a.Directory.Path, v.From.Path))
				}
			}
		}
		if v.ISCSI != nil && v.ISCSI.Target != "" {
			luns.claim(at+".iscsi", fmt.Sprintf("%s/%d", v.ISCSI.Target, v.ISCSI.LUN))
		}
	}
}

// checkFolders refuses what clients of an exported folder could write to past everything: the medium of a LUN, of a tier, and the gateway's own folder; and one
// that has another one's files where a log acknowledges writes, which the other would not see before it has them.
func checkFolders(c *Config, d *document) {
	for i := range c.Arrays {
		folder := c.Arrays[i].Directory
		export := c.export(c.Arrays[i].Name)
		if folder == nil || folder.Path == "" || export == nil {
			continue
		}
		apart := func(key, path string) {
			if path != "" && within(path, folder.Path) {
				d.refuse(key, "%q lies in the folder of arrays[%d], which is exported: its clients could write to it", path, i)
			}
		}
		apart("gateway.data-dir", c.Gateway.DataDir)
		for j, t := range c.Gateway.Tiers {
			for key, m := range map[string]*Media{"flash": t.Flash, "log": t.Log} {
				if m != nil {
					apart(fmt.Sprintf("gateway.tiers[%d].%s.path", j, key), m.Path)
				}
			}
		}
		for j, a := range c.Arrays {
			if a.File != nil {
				apart(fmt.Sprintf("arrays[%d].file.path", j), a.File.Path)
			}
			if other := c.export(a.Name); a.Directory != nil && j != i && other != nil && within(a.Directory.Path, folder.Path) &&
				filepath.Clean(a.Directory.Path) != filepath.Clean(folder.Path) && (export.Policy.Write == WriteBack || other.Policy.Write == WriteBack) {
				d.refuse(fmt.Sprintf("arrays[%d].directory.path", j), "%q lies in the folder of arrays[%d]: write: back goes with neither, as they would not see each other's writes", a.Directory.Path, i)
			}
		}
		for j, v := range c.Volumes {
			if a := c.array(v.From.Array); a != nil && a.Directory != nil && a.Name != c.Arrays[i].Name && v.From.Path != "" {
				apart(fmt.Sprintf("volumes[%d].from.path", j), filepath.Join(a.Directory.Path, v.From.Path))
			}
		}
	}
}

// within says whether a path is a folder, or lies below it.
func within(path, folder string) bool {
	rest, err := filepath.Rel(folder, path)
	return err == nil && rest != ".." && !strings.HasPrefix(rest, "../")
}

// array is the first one of that name, or nil.
func (c *Config) array(name string) *Array {
	if i := slices.IndexFunc(c.Arrays, func(a Array) bool { return a.Name == name }); i >= 0 {
		return &c.Arrays[i]
	}
	return nil
}

// export is the first volume that exports an array, or nil.
func (c *Config) export(array string) *Volume {
	if i := slices.IndexFunc(c.Volumes, func(v Volume) bool { return v.NFS != nil && v.From.Array == array }); i >= 0 {
		return &c.Volumes[i]
	}
	return nil
}
