package configs

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

func checkGateway(c *Config, d *document) {
	g := &c.Gateway
	d.requireName("gateway.name", g.Name)
	d.requireName("gateway.fault-domain", g.FaultDomain)
	if len(c.FaultDomains) > 0 && !slices.ContainsFunc(c.FaultDomains, func(f FaultDomain) bool { return f.Name == g.FaultDomain }) {
		d.refuse("gateway.fault-domain", "no fault domain %q under fault-domains", g.FaultDomain)
	}
	d.require("gateway.data-dir", g.DataDir)
	checkListen(g, d)
	checkTiers(c, d)
	d.requireAtLeast("gateway.limits.sessions", int64(g.Limits.Sessions), 1, "1")
	d.requireAtLeast("gateway.limits.unauthenticated", int64(g.Limits.Unauthenticated), 1, "1")
	d.requireAtLeast("gateway.limits.login", int64(g.Limits.Login), 1e9, "1s")
	d.requireAtLeast("gateway.limits.memory-per-connection", int64(g.Limits.MemoryPerConnection), 1<<20, "1MiB, the longest burst")
	if g.TLS != nil {
		d.require("gateway.tls.cert", g.TLS.Cert)
		d.require("gateway.tls.key", g.TLS.Key)
		d.require("gateway.tls.ca", g.TLS.CA)
	}
	d.requireOneOf("gateway.log.level", g.Log.Level, "trace", "debug", "info", "warn", "error")
	d.requireOneOf("gateway.log.format", g.Log.Format, "json", "console")
}

func checkListen(g *Gateway, d *document) {
	taken := d.unique("the address")
	for i, a := range g.Listen.ISCSI {
		key := fmt.Sprintf("gateway.listen.iscsi[%d]", i)
		if a == Off {
			d.refuse(key, "off stands in a list: write iscsi: [] for no iSCSI at all")
		}
		taken.claimAddress(key, a)
	}
	for _, service := range []struct {
		key     string
		address Address
	}{{"nfs", g.Listen.NFS}, {"mount", g.Listen.Mount}, {"portmap", g.Listen.Portmap}, {"peers", g.Listen.Peers}, {"api", g.Listen.API}} {
		taken.claimAddress("gateway.listen."+service.key, service.address)
	}
	for i, a := range g.Advertise.ISCSI {
		key := fmt.Sprintf("gateway.advertise.iscsi[%d]", i)
		if !a.reachable() {
			d.refuse(key, "%q is no address that an initiator could connect to", a)
		}
	}
}

// claimAddress lets any number of services ask for a free port (port 0). All addresses (0.0.0.0, [::]) leave a port to no other one.
func (u uniques) claimAddress(key string, a Address) {
	ap, err := netip.ParseAddrPort(string(a))
	if err != nil || ap.Port() == 0 {
		return
	}
	for _, claim := range slices.Sorted(maps.Keys(u.seen)) {
		first, other := u.seen[claim], netip.MustParseAddrPort(claim)
		if other.Port() == ap.Port() && other != ap && (other.Addr().IsUnspecified() || ap.Addr().IsUnspecified()) {
			line, _ := u.d.find(first)
			u.d.refuse(key, "%s %q can't be had beside %q, which %s in line %d has: one of them is all addresses", u.what, ap, claim, first, line)
			return
		}
	}
	u.claim(key, ap.String())
}

func checkTiers(c *Config, d *document) {
	pools := d.unique("the pool")
	for i, t := range c.Gateway.Tiers {
		at := fmt.Sprintf("gateway.tiers[%d]", i)
		c.requirePool(d, at+".pool", t.Pool)
		pools.claim(at+".pool", t.Pool)
		d.requireAtLeast(at+".ram", int64(t.RAM), 1<<20, "1MiB")
		if t.RAM%4096 != 0 {
			d.refuse(at+".ram", "%s is not a multiple of 4KiB", t.RAM)
		}
		for key, m := range map[string]*Media{"flash": t.Flash, "log": t.Log} {
			if m == nil && d.has(at+"."+key) {
				d.refuse(at+"."+key, "path is missing; leave the key out for none")
			}
		}
		if t.Flash != nil {
			d.require(at+".flash.path", t.Flash.Path)
			if t.Flash.Size != 0 && t.Flash.Size < minFlash || t.Flash.Size%4096 != 0 {
				d.refuse(at+".flash.size", "%s: at least %s, and a multiple of 4KiB", t.Flash.Size, Size(minFlash))
			}
		}
		if t.Log != nil {
			d.require(at+".log.path", t.Log.Path)
			if t.Log.Size != 0 && t.Log.Size < minLog || t.Log.Size%4096 != 0 {
				d.refuse(at+".log.size", "%s: at least %s, and a multiple of 4KiB", t.Log.Size, Size(minLog))
			}
		}
	}
}

func (c *Config) requirePool(d *document, key, pool string) {
	if d.require(key, pool) && !slices.ContainsFunc(c.Pools, func(p Pool) bool { return p.Name == pool }) {
		d.refuse(key, "no pool %q under pools", pool)
	}
}

// The least sizes of a write log and of a flash tier in bytes.
const (
	minLog   = 64 << 20
	minFlash = 16 << 20
)
