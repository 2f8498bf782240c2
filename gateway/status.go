package gateway

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"forebay/cachecore/stats"
	"forebay/gateway/api"
)

// Status implements api.Source.
func (g *Gateway) Status() api.Status {
	c := &g.config.Gateway
	s := api.Status{
		Gateway: api.Gateway{Name: c.Name, FaultDomain: c.FaultDomain, Version: g.version, Started: g.started, ISCSI: g.listeners.of(serviceISCSI),
			Initiator: g.initiator},
		Pools:    []api.Pool{},
		Arrays:   []api.Array{},
		Volumes:  []api.Volume{},
		Sessions: []api.Session{},
	}
	sessions := map[string]int{}
	for _, x := range g.server.Sessions() {
		sessions[x.Target]++
		s.Sessions = append(s.Sessions, api.Session(x))
	}
	for _, t := range c.Tiers {
		m := g.pools[t.Pool].store.Stats()
		s.Pools = append(s.Pools, api.Pool{Name: t.Pool, RAMBytes: m.Bytes, RAMUsedBytes: m.UsedBytes, RAMPinnedBytes: m.PinnedBytes, Evictions: m.Evictions})
	}
	for _, v := range g.volumes {
		s.Arrays = append(s.Arrays, v.attachment.status())
		s.Volumes = append(s.Volumes, v.status(sessions[v.config.ISCSI.Target]))
	}
	slices.SortFunc(s.Sessions, func(a, b api.Session) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Address, b.Address))
	})
	return s
}

func (a *attachment) status() api.Array {
	info := a.Info()
	s := api.Array{Name: a.name, Kind: a.kind, State: "attached", Bytes: info.Size, Identity: info.Identity}
	if attached, reason := a.state(); !attached {
		s.State, s.Reason = "away", reason
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f, ok := a.mu.array.(interface{ Unfenced() bool }); ok {
		s.Unfenced = f.Unfenced()
	}
	return s
}

// The states of a volume (DESIGN 4).
const (
	writeThrough = "write-through"
	suspended    = "suspended"
)

func (s *served) status(sessions int) api.Volume {
	counted := s.stats.Snapshot()
	v := api.Volume{
		Name: s.config.Name, Array: s.config.From.Array, Pool: s.config.Pool, Bytes: s.attachment.Info().Size,
		Target: s.config.ISCSI.Target, LUN: uint64(s.config.ISCSI.LUN), NAA: hex.EncodeToString(s.identity.NAA[:]),
		Requested: writeThrough, Effective: writeThrough, Sessions: sessions,
		Reads: api.Traffic(counted.Reads), Writes: api.Traffic(counted.Writes), HitRate: counted.HitRate(),
		Latency: api.Split{VM: percentiles(&counted.VM), Local: percentiles(&counted.Local), Datastore: percentiles(&counted.Datastore)},
	}
	if _, reason := s.serves(); reason != "" {
		v.Effective, v.Reason = suspended, "array "+s.attachment.name+": "+reason
	}
	return v
}

func percentiles(d *stats.Distribution) api.Percentiles {
	us := func(t time.Duration) float64 { return float64(t) / float64(time.Microsecond) }
	return api.Percentiles{Count: d.Count, P50: us(d.Quantile(0.5)), P99: us(d.Quantile(0.99))}
}
