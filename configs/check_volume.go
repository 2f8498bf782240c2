package configs

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

func checkVolume(c *Config, d *document, at string, v *Volume) {
	d.requireName(at+".name", v.Name)
	if d.require(at+".from.array", v.From.Array) && !slices.ContainsFunc(c.Arrays, func(a Array) bool { return a.Name == v.From.Array }) {
		d.refuse(at+".from.array", "no array %q under arrays", v.From.Array)
	}
	c.checkFrom(d, at+".from", v)
	c.requirePool(d, at+".pool", v.Pool)
	checkPolicy(c, d, at+".policy", v.Pool, &v.Policy)
	if v.NFS != nil && v.Policy.Write == WriteBack && c.Exports(v.From.Array) > 1 {
		d.refuse(at+".policy.write", "array %q has several exports, which would not see each other's writes before it has them: write: back goes with one", v.From.Array)
	}
	for i, r := range v.Rules {
		d.require(fmt.Sprintf("%s.rules[%d].path", at, i), r.Path)
		checkPolicy(c, d, fmt.Sprintf("%s.rules[%d].policy", at, i), v.Pool, &v.Rules[i].Policy)
	}
	d.exactlyOne(at, "iscsi", "nfs")
	if v.ISCSI != nil {
		checkISCSIExport(c, d, at+".iscsi", v)
	}
	if v.NFS != nil {
		c.checkNFSExport(d, at+".nfs", v)
	}
	d.requireOneOf(at+".limits.priority", v.Limits.Priority, "low", "normal", "high")
}

// Exports is how many volumes export the files of an array, by whatever name.
func (c *Config) Exports(array string) (n int) {
	for i := range c.Volumes {
		if c.Volumes[i].NFS != nil && c.same(c.Volumes[i].From.Array, array) {
			n++
		}
	}
	return n
}

// same says whether two arrays are one: a filer's export may have several names, each with options of its own.
func (c *Config) same(one, two string) bool {
	a, b := c.array(one), c.array(two)
	return one == two || a != nil && b != nil && a.NFS != nil && b.NFS != nil && a.NFS.Server == b.NFS.Server && a.NFS.Export == b.NFS.Export && a.NFS.Port == b.NFS.Port
}

// checkFrom holds a volume against the array that is to have it.
func (c *Config) checkFrom(d *document, at string, v *Volume) {
	f := v.From
	if f.LUN < 0 || f.LUN > maxLUN {
		d.refuse(at+".lun", "%d is not within 0 to %d", f.LUN, maxLUN)
	}
	i := slices.IndexFunc(c.Arrays, func(a Array) bool { return a.Name == f.Array })
	if i < 0 {
		return
	}
	a := &c.Arrays[i]
	hasFiles := a.NFS != nil || a.Directory != nil
	if f.LUN > 0 && f.LUN <= maxLUN && a.ISCSI == nil {
		d.refuse(at+".lun", "array %q has no LUNs: they go with arrays behind iSCSI", f.Array)
	}
	switch {
	case v.NFS != nil && !hasFiles:
		d.refuse(at+".array", "array %q has no files: an NFS export goes with an array behind NFS, or a directory", f.Array)
	case v.NFS != nil && f.Path != "":
		d.refuse(at+".path", "an NFS export is all of an array; clients can mount a directory of it")
	case v.ISCSI != nil && hasFiles && f.Path == "":
		d.refuse(at+".path", "missing: which file of array %q the LUN is", f.Array)
	case f.Path != "" && !hasFiles:
		d.refuse(at+".path", "array %q has no files: a path goes with an array behind NFS, or a directory", f.Array)
	case f.Path != "" && c.Exports(f.Array) > 0:
		d.refuse(at, "array %q is an NFS export as a whole: two caches over one file would not see each other's writes", f.Array)
	case f.Path != "" && (!isExportPath(f.Path) || f.Path == "/"):
		d.refuse(at+".path", "%q is not an absolute path such as /luns/a.img", f.Path)
	}
}

// checkPolicy refuses what a policy can't keep (PROTOCOL B8).
func checkPolicy(c *Config, d *document, at, pool string, p *Policy) {
	d.requireOneOf(at+".write", p.Write, WriteThrough, WriteBack)
	d.requireOneOf(at+".survives", p.Survives, SurvivesPowerLoss, SurvivesGatewayLoss, SurvivesNothing)
	peers := p.Replicas.SameDomain + p.Replicas.OtherDomain
	switch {
	case p.Replicas.SameDomain < 0, p.Replicas.OtherDomain < 0:
		d.refuse(at+".replicas", "a number below 0")
	case peers > 2:
		d.refuse(at+".replicas", "%d peers: at most 2 hold a write", peers)
	case p.Write == WriteThrough && peers > 0:
		d.refuse(at+".replicas", "the array has every write of write: through; replicas go with write: back")
	case p.Write == WriteThrough && p.Survives != "":
		d.refuse(at+".survives", "the array has every write of write: through; this goes with write: back")
	case p.Write != WriteBack:
	case p.Survives == SurvivesGatewayLoss && peers == 0:
		d.refuse(at+".survives", "gateway-loss needs a write on at least one peer: add replicas, or say survives: nothing")
	case p.Survives == SurvivesPowerLoss && !c.logsDurably(pool):
		d.refuse(at+".survives", "power-loss needs a log in the tier of pool %q, or flash of at least %s, whose end has it then; RAM alone gives gateway-loss with a peer, or else nothing", pool, Size(minLogFlash))
	}
}

// logsDurably says whether this gateway's tier for the pool has a write log that a power cut leaves alone.
func (c *Config) logsDurably(pool string) bool {
	return slices.ContainsFunc(c.Gateway.Tiers, func(t Tier) bool { return t.Pool == pool && t.logsDurably() })
}

const maxLUN = 1<<14 - 1 // flat space addressing, SAM-5 section 4.7

func checkISCSIExport(c *Config, d *document, at string, v *Volume) {
	x := v.ISCSI
	if len(c.Gateway.Listen.ISCSI) == 0 && !d.has("gateway.listen.iscsi[0]") {
		d.refuse(at, "gateway.listen.iscsi must have an address to serve it")
	}
	d.requireISCSIName(at+".target", x.Target)
	if x.LUN < 0 || x.LUN > maxLUN {
		d.refuse(at+".lun", "%d is not within 0 to %d", x.LUN, maxLUN)
	}
	if x.BlockSize != 512 && x.BlockSize != 4096 {
		d.refuse(at+".block-size", "%d: 512 or 4096", x.BlockSize)
	}
	for i, name := range x.Initiators {
		if prefix, isPattern := strings.CutSuffix(name, "*"); !isPattern || strings.Contains(prefix, "*") {
			d.requireISCSIName(fmt.Sprintf("%s.initiators[%d]", at, i), name)
		}
	}
	if d.has(at+".initiators") && len(x.Initiators) == 0 {
		d.refuse(at+".initiators", "an empty list lets nobody in; leave the key out to let all in")
	}
	checkCHAP(d, at+".chap", x.CHAP)
	if _, err := netip.ParsePrefix(x.Address); x.Address != "" && err != nil {
		d.refuse(at+".address", "%q is not an address with a prefix length, such as 192.0.2.50/24", x.Address)
	}
	// A login is to a target, not to a LUN: who may log in can't differ among its LUNs.
	for i := range c.Volumes {
		other := &c.Volumes[i]
		if other == v {
			break
		}
		if y := other.ISCSI; y != nil && y.Target == x.Target && x.Target != "" && !sameAccess(x, y) {
			d.refuse(at, "other initiators or chap than volumes[%d], which has the same target", i)
			break
		}
	}
}

func sameAccess(x, y *ISCSIExport) bool {
	return slices.Equal(x.Initiators, y.Initiators) && reflect.DeepEqual(x.CHAP, y.CHAP)
}

func (c *Config) checkNFSExport(d *document, at string, v *Volume) {
	x := v.NFS
	if d.require(at+".export", x.Export) && !isExportPath(x.Export) {
		d.refuse(at+".export", "%q is not an absolute path such as /vmstore", x.Export)
	}
	for i := range c.Volumes {
		other := &c.Volumes[i]
		if other == v {
			break
		}
		if y := other.NFS; y != nil && y.Export == x.Export && x.Export != "" {
			d.refuse(at+".export", "volumes[%d] has the same", i)
		}
	}
	if d.has(at+".clients") && len(x.Clients) == 0 {
		d.refuse(at+".clients", "an empty list lets nobody in; leave the key out to let all in")
	}
	if x.AttributeCache < 0 {
		d.refuse(at+".attribute-cache", "a time below 0")
	}
	if !c.Gateway.Listen.NFS.On() || !c.Gateway.Listen.Mount.On() {
		d.refuse(at, "gateway.listen.nfs and gateway.listen.mount must be on to serve it")
	}
	for i, network := range x.Clients {
		if _, err := netip.ParsePrefix(network); err != nil {
			d.refuse(fmt.Sprintf("%s.clients[%d]", at, i), "%q is not a network such as 192.0.2.0/24", network)
		}
	}
	d.requireOneOf(at+".squash", x.Squash, SquashNone, SquashRoot, SquashAll)
	if _, err := netip.ParsePrefix(x.Address); x.Address != "" && err != nil {
		d.refuse(at+".address", "%q is not an address with a prefix length, such as 192.0.2.51/24", x.Address)
	}
}
