package gateway

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strings"

	"forebay/configs"
	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/target"
	"forebay/protocols/scsi"
)

// catalog is the gateway's target.Catalog. It does not change once it is made.
type catalog struct {
	targets   map[string]*target.Target
	advertise []configs.Address // portals that discovery answers; none: where the initiator connected
}

// portalGroup is the tag of the one group that all portals are in.
const portalGroup = ",1"

func newCatalog(volumes []*disk, advertise []configs.Address) *catalog {
	units := map[string]map[uint64]scsi.Device{}
	c := &catalog{targets: map[string]*target.Target{}, advertise: advertise}
	for _, v := range volumes {
		x := v.config.ISCSI
		luns := units[x.Target]
		if luns == nil {
			luns = map[uint64]scsi.Device{}
			units[x.Target] = luns
			c.targets[x.Target] = &target.Target{Name: x.Target, Allowed: allows(x.Initiators), CHAP: credentials(x.CHAP),
				LUNs: func() map[uint64]scsi.Device { return luns }}
		}
		luns[uint64(x.LUN)] = v.device
	}
	return c
}

// Target implements target.Catalog.
func (c *catalog) Target(name string) (*target.Target, bool) {
	t, ok := c.targets[name]
	return t, ok
}

// Targets implements target.Catalog: those that the initiator may log in to.
func (c *catalog) Targets(initiator string, local net.Addr) []target.TargetInfo {
	portals := []string{local.String() + portalGroup}
	if len(c.advertise) > 0 {
		portals = nil
		for _, a := range c.advertise {
			portals = append(portals, string(a)+portalGroup)
		}
	}
	var list []target.TargetInfo
	for _, t := range slices.SortedFunc(maps.Values(c.targets), func(a, b *target.Target) int { return cmp.Compare(a.Name, b.Name) }) {
		if t.Allowed == nil || t.Allowed(initiator) {
			list = append(list, target.TargetInfo{Name: t.Name, Portals: portals})
		}
	}
	return list
}

// allows makes an access list of names and of prefixes with an asterisk behind them; none: everybody.
func allows(names []string) func(initiator string) bool {
	if len(names) == 0 {
		return nil
	}
	return func(initiator string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			prefix, isPattern := strings.CutSuffix(name, "*")
			return isPattern && strings.HasPrefix(initiator, prefix) || initiator == name
		})
	}
}

func credentials(chap *configs.CHAP) *iscsi.Credentials {
	if chap == nil {
		return nil
	}
	c := &iscsi.Credentials{User: chap.User, Secret: string(chap.Secret)}
	if chap.Mutual != nil {
		c.MutualUser, c.MutualSecret = chap.Mutual.User, string(chap.Mutual.Secret)
	}
	return c
}
