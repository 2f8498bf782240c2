package gateway

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"time"

	"forebay/cachecore/stats"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
	"forebay/protocols/nfs"
)

// Status implements api.Source.
func (g *Gateway) Status() api.Status {
	c := &g.config.Gateway
	s := api.Status{
		Gateway: api.Gateway{Name: c.Name, FaultDomain: c.FaultDomain, Version: g.version, Started: g.started, ISCSI: g.listeners.of(serviceISCSI),
			NFS: g.listeners.of(serviceNFS), Mount: g.listeners.of(serviceMount), Initiator: g.initiator},
		Pools:    []api.Pool{},
		Arrays:   []api.Array{},
		Volumes:  []api.Volume{},
		Sessions: []api.Session{},
		Clients:  g.nfs.clients(),
	}
	sessions := map[string]int{}
	for _, x := range g.server.Sessions() {
		sessions[x.Target]++
		s.Sessions = append(s.Sessions, api.Session(x))
	}
	for _, t := range c.Tiers {
		m := g.pools[t.Pool].store.Stats()
		s.Pools = append(s.Pools, api.Pool{Name: t.Pool, RAMBytes: m.Bytes, RAMUsedBytes: m.UsedBytes, RAMPinnedBytes: m.PinnedBytes, Evictions: m.Evictions,
			Log: g.pools[t.Pool].log.status(), Flash: g.flashStatus(t.Pool)})
	}
	for _, v := range g.disks {
		s.Arrays = append(s.Arrays, v.attachment.status())
		s.Volumes = append(s.Volumes, v.status(sessions[v.config.ISCSI.Target]))
	}
	for _, f := range g.filers {
		s.Arrays = append(s.Arrays, f.status())
	}
	mounted := g.nfs.mounted()
	for _, x := range g.shares {
		s.Volumes = append(s.Volumes, x.status(mounted[x.config.NFS.Export]))
	}
	slices.SortFunc(s.Arrays, func(a, b api.Array) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Volumes, func(a, b api.Volume) int { return cmp.Compare(a.Name, b.Name) })
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

func (s *disk) status(sessions int) api.Volume {
	v := statusOf(s, s.config, s.attachment.name, s.stats, sessions)
	if s.back != nil {
		was := v.Effective
		s.back.states(&v)
		if was == suspended && s.storage.volume.Load() == nil && s.back.offline() == "" {
			v.Effective = was // the log acknowledges nothing before it is known how large the volume is
		}
	}
	v.Bytes, v.Target, v.LUN, v.NAA = s.attachment.Info().Size, s.config.ISCSI.Target, uint64(s.config.ISCSI.LUN), hex.EncodeToString(s.identity.NAA[:])
	return v
}

// statusOf is what volumes of all kinds tell.
func statusOf(s served, c configs.Volume, array string, counters *stats.Volume, sessions int) api.Volume {
	counted := counters.Snapshot()
	v := api.Volume{
		Name: c.Name, Array: array, Pool: c.Pool, Requested: writeThrough, Effective: writeThrough, Sessions: sessions,
		Reads: api.Traffic(counted.Reads), Writes: api.Traffic(counted.Writes), HitRate: counted.HitRate(),
		Latency: api.Split{VM: percentiles(&counted.VM), Local: percentiles(&counted.Local), Datastore: percentiles(&counted.Datastore)},
	}
	if _, reason := s.serves(); reason != "" {
		v.Effective, v.Reason = suspended, "array "+array+": "+reason
	}
	return v
}

// states tells a policy and what it is now, of a volume that has a write log.
func (b *back) states(v *api.Volume) {
	s := b.Status()
	v.Writeback = b.status()
	v.Requested = s.Requested.String()
	b.mu.Lock()
	paused := v.Writeback.PausedSeconds > 0 && b.mu.set == writeback.Back
	b.mu.Unlock()
	if paused { // that is what was asked for, and will be again
		v.Requested = writeback.Back.String()
		left := time.Duration(v.Writeback.PausedSeconds * float64(time.Second))
		v.Reason = cmp.Or(v.Reason, fmt.Sprintf("write-back is paused for another %v", left.Round(time.Second)))
	}
	if v.Effective == suspended && s.Effective == writeback.Through {
		return
	}
	v.Effective = s.Effective.String()
	if s.Reason != "" {
		v.Reason = s.Reason
	}
	if b.declared.Load() {
		v.Reason = declaredLost
	}
}

func (s *share) status(mounted int) api.Volume {
	v := statusOf(s, s.config, s.filer.name, s.stats, mounted)
	v.Export = s.config.NFS.Export
	if s.staged != nil {
		was := v.Effective
		s.staged.states(&v)
		if was == suspended && s.staged.offline() == "" && !s.filer.openedOnce() {
			v.Effective = was // as of a disk
		}
		v.Writeback.RefusedFiles = s.staged.files.Parked()
	}
	for p := range s.procedures {
		c := &s.procedures[p]
		if calls := c.calls.Load(); calls > 0 {
			latency := c.latency.Snapshot()
			v.Procedures = append(v.Procedures, api.Procedure{Name: nfs.Procedure(p).String(), Calls: calls, NotOK: c.notOK.Load(), Latency: percentiles(&latency)})
		}
	}
	return v
}

func (f *filer) status() api.Array {
	s := api.Array{Name: f.name, Kind: f.kind, State: "attached", Identity: f.identity()}
	if attached, reason := f.state(); !attached {
		s.State, s.Reason = "away", reason
	}
	return s
}

// clients are the connections of NFS clients, in order of their age.
func (n *nfsServer) clients() []api.NFSClient {
	list := []api.NFSClient{}
	if n == nil {
		return list
	}
	for _, c := range n.rpc.Conns() {
		list = append(list, api.NFSClient{Address: c.Remote.String(), Since: c.Since, Calls: c.Calls, InFlight: c.InFlight})
	}
	slices.SortFunc(list, func(a, b api.NFSClient) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Address, b.Address))
	})
	return list
}

// mounted counts the clients that have mounted an export, or a directory of it, and have not said that they don't any more.
func (n *nfsServer) mounted() map[string]int {
	counts := map[string]int{}
	if n == nil {
		return counts
	}
	for _, m := range n.mount.Mounted() {
		for dir := m.Dir; ; dir = path.Dir(dir) {
			counts[dir]++
			if dir == path.Dir(dir) {
				break
			}
		}
	}
	return counts
}

func percentiles(d *stats.Distribution) api.Percentiles {
	us := func(t time.Duration) float64 { return float64(t) / float64(time.Microsecond) }
	return api.Percentiles{Count: d.Count, P50: us(d.Quantile(0.5)), P99: us(d.Quantile(0.99))}
}
