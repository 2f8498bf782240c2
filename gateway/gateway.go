package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/export"
	"forebay/gateway/witnesses"
	"forebay/protocols/iscsi/target"
	"forebay/protocols/scsi"
)

// Options of New.
type Options struct {
	Config  *configs.Config
	Log     zerolog.Logger
	Version string
}

// Gateway is one gateway. New makes it, Run is its life.
type Gateway struct {
	config  *configs.Config
	log     zerolog.Logger
	version string
	started time.Time

	listeners *listeners
	store     etcd.Store
	initiator string // iSCSI name that arrays know this gateway by

	// Made by build, in this order, before anything runs; not changed afterwards.
	owed    map[string]bool       // the pools that need a write log whatever the configuration says
	records map[string]etcd.Shard // of volumes, those that aren't configured too, as this life began
	pools   map[string]*pool
	filers  map[string]*filer
	disks   []*disk
	shares  []*share
	writes  *writes
	server  *target.Server
	nfs     *nfsServer // nil: there are no exports

	witnesses *witnesses.File // nil: no export is over a flash tier
}

// served is a configured volume with all that serves it: a disk or a share.
type served interface {
	name() string
	// run keeps what is below attached until ctx ends.
	run(ctx context.Context)
	// serves says whether clients are answered, and if not in full, why.
	serves() (ready bool, reason string)
	// close makes what was answered durable and ends the volume. An error says that something of it is still under way, and uses the pool's memory.
	close(ctx context.Context) error
	// collect tells its metrics, and adds to its array's.
	collect(to chan<- prometheus.Metric, arrays arrayCounts)
}

// volumes are all of them.
func (g *Gateway) volumes() []served {
	var list []served
	for _, d := range g.disks {
		list = append(list, d)
	}
	for _, s := range g.shares {
		list = append(list, s)
	}
	return list
}

// startTimeout is what the control plane gets to start, and then to answer what is asked at the start.
const startTimeout = time.Minute

// New returns a gateway that has started nothing.
func New(o Options) *Gateway {
	return &Gateway{config: o.Config, log: o.Log, version: cmp.Or(o.Version, "unknown"), listeners: newListeners(o.Log), pools: map[string]*pool{},
		filers: map[string]*filer{}}
}

// Run serves until ctx ends, and then ends in order. It returns an error if it can't start, or could not end in order. A start that ctx
// calls off is no error.
func (g *Gateway) Run(ctx context.Context) (err error) {
	g.started = time.Now()
	for _, w := range g.config.Warnings {
		g.log.Warn().Str("config", w.Error()).Msg("configuration")
	}
	plane, err := g.start(ctx)
	if plane != nil {
		defer func() {
			if err = errors.Join(err, plane.Close()); err == nil {
				g.log.Info().Msg("ended")
			}
		}()
	}
	switch {
	case err == nil:
		g.log.Info().Str("gateway", g.config.Gateway.Name).Str("version", g.version).Int("volumes", len(g.volumes())).Msg("gateway starts")
		return g.serve(ctx, plane.Failed())
	case ctx.Err() != nil:
		g.log.Info().AnErr("reason", err).Msg("called off before the gateway had started")
		return g.release()
	default:
		return errors.Join(err, g.release())
	}
}

// start starts the control plane, which may be there with an error too, and builds the rest.
func (g *Gateway) start(ctx context.Context) (*etcd.Embedded, error) {
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	plane, err := etcd.StartEmbedded(limited, etcd.EmbeddedOptions{Dir: filepath.Join(g.config.Gateway.DataDir, "etcd"), Log: g.log})
	if err != nil {
		return nil, err
	}
	g.store = plane.Store()
	return plane, g.build(ctx)
}

// build makes all parts from the configuration, once the cluster agrees with it.
func (g *Gateway) build(ctx context.Context) error {
	if err := g.agree(ctx); err != nil {
		return err
	}
	if err := g.openTiers(); err != nil { // which may take minutes: a log is read from its beginning to its end
		return err
	}
	return g.addVolumes(ctx)
}

// agree makes the configuration the cluster's, and asks it which pools need a log.
func (g *Gateway) agree(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := g.apply(ctx); err != nil {
		return err
	}
	g.owed, err = g.owedLogs(ctx)
	return err
}

// openTiers makes the pools.
func (g *Gateway) openTiers() error {
	for _, t := range g.config.Gateway.Tiers {
		p, err := newPool(t, g.writesBack(t.Pool), g.log)
		if err != nil {
			return err
		}
		g.pools[t.Pool] = p
	}
	if err := g.addFlash(); err != nil {
		return err
	}
	g.openWitnesses()
	return nil
}

// addVolumes makes the volumes, and what serves them.
func (g *Gateway) addVolumes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	known, err := g.arrays(ctx)
	if err != nil {
		return err
	}
	bases := map[writelog.Shard]cachecore.Epoch{}
	objects := new(export.Objects)
	objects.Reserve(len(g.config.Volumes))
	if err := g.readRecords(ctx); err != nil {
		return err
	}
	for i, c := range g.config.Volumes {
		if err := g.addVolume(ctx, known, c, cachecore.ObjectID(i+1), objects, bases); err != nil {
			return fmt.Errorf("volume %s: %w", c.Name, err)
		}
	}
	if err := g.replay(bases); err != nil {
		return err
	}
	if err := g.nameLogs(ctx); err != nil {
		return err
	}
	if err := g.buildServer(); err != nil {
		return err
	}
	return g.buildNFS(ctx)
}

// writesBack says whether a volume of a pool is to be acknowledged by a log, or may have been.
func (g *Gateway) writesBack(pool string) bool {
	return g.owed[pool] || slices.ContainsFunc(g.config.Volumes, func(v configs.Volume) bool { return v.Pool == pool && v.Policy.Write == configs.WriteBack })
}

// promises says whether a volume of a pool is to have what it acknowledges outlive a power cut without its array.
func (g *Gateway) promises(pool string) bool {
	return slices.ContainsFunc(g.config.Volumes, func(v configs.Volume) bool {
		return v.Pool == pool && v.Policy.Write == configs.WriteBack && v.Policy.Survives != configs.SurvivesNothing
	})
}

// buildServer makes what serves the volumes.
func (g *Gateway) buildServer() (err error) {
	if g.writes, err = newWrites(g.log); err != nil {
		return err
	}
	limits := g.config.Gateway.Limits
	g.server = target.New(target.Options{
		Catalog:  newCatalog(g.disks, g.config.Gateway.Advertise.ISCSI),
		Buffers:  g.writes.buffers,
		Observer: observer{},
		Limits: target.Limits{Sessions: limits.Sessions, Unauthenticated: limits.Unauthenticated, Login: time.Duration(limits.Login),
			Memory: int(limits.MemoryPerConnection)},
		Logger: g.log,
		Alias:  "Forebay " + g.config.Gateway.Name,
	})
	return nil
}

// apply makes the file's pools, arrays and volumes those of the cluster (DESIGN 10).
func (g *Gateway) apply(ctx context.Context) error {
	fromFile, err := g.config.Objects()
	if err != nil {
		return err
	}
	objects := make([]etcd.Object, len(fromFile))
	for i, o := range fromFile {
		objects[i] = etcd.Object(o)
	}
	return g.store.ApplyFile(ctx, g.config.Gateway.Name+":"+g.config.File, objects)
}

// arrays gives arrays something to know this gateway by: a name that stays, unique among clusters, and a key of this boot (PROTOCOL D3).
func (g *Gateway) arrays(ctx context.Context) (arrays, error) {
	cluster, err := g.store.ClusterID(ctx)
	if err != nil {
		return arrays{}, err
	}
	name := strings.ReplaceAll(strings.ToLower(g.config.Gateway.Name), "_", "-")
	sum := sha256.Sum256([]byte(cluster + "/" + g.config.Gateway.Name))
	key := uint64(binary.BigEndian.Uint32(sum[:]))<<32 | uint64(rand.Uint32()&^0xff)
	g.initiator = fmt.Sprintf("iqn.2026-11.io.forebay:%s.%.8s", name, cluster)
	return arrays{store: g.store, initiator: g.initiator, key: key, started: g.started, filers: g.filers, log: g.log}, nil
}

// addVolume makes one volume, an object of that number if it is a disk.
func (g *Gateway) addVolume(ctx context.Context, known arrays, c configs.Volume, object cachecore.ObjectID, objects *export.Objects,
	bases map[writelog.Shard]cachecore.Epoch) error {
	p := g.pools[c.Pool]
	if p == nil {
		return fmt.Errorf("this gateway gives no tier to pool %s: add one under gateway.tiers", c.Pool)
	}
	i := slices.IndexFunc(g.config.Arrays, func(a configs.Array) bool { return a.Name == c.From.Array })
	if i < 0 {
		return fmt.Errorf("no array %s", c.From.Array)
	}
	a := g.config.Arrays[i]
	if err := g.unowed(ctx, c); err != nil {
		return err
	}
	if c.NFS != nil {
		return g.addShare(ctx, known, c, a, p, objects, bases)
	}
	naa, err := g.store.NAA(ctx, c.Name)
	if err != nil {
		return err
	}
	identity := scsi.Identity{NAA: naa, Serial: hex.EncodeToString(naa[:]), Vendor: "FOREBAY", Product: "VOLUME", Name: c.Name}
	d := newDisk(c, object, p, known.attachment(a, c), identity, g.log)
	if p.log != nil {
		var base cachecore.Epoch
		if d.back, base, err = g.newBack(ctx, c, p, d.attachment, naa); err != nil {
			return err
		}
		bases[shardOf(naa)] = base
	}
	g.disks = append(g.disks, d)
	return nil
}

func (g *Gateway) addShare(ctx context.Context, known arrays, c configs.Volume, a configs.Array, p *pool, objects *export.Objects,
	bases map[writelog.Shard]cachecore.Epoch) error {
	id, err := g.store.ExportID(ctx, c.Name)
	if err != nil {
		return err
	}
	f := known.filer(a)
	l, err := g.stage(ctx, c, p, f, bases)
	if err != nil {
		return err
	}
	s, err := newShare(c, id, p, objects, f, l, a.NFS != nil && a.NFS.Mode == configs.ModeSoft, g.log)
	if err != nil {
		return err
	}
	g.shares = append(g.shares, s)
	return nil
}

// release gives the memory back. What is in use stays where it is, to the process's end: else who uses it would die of it, or write into
// what took its place.
func (g *Gateway) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	g.closeWitnesses()
	for _, p := range g.pools {
		errs = append(errs, p.close(ctx))
	}
	if g.writes != nil {
		errs = append(errs, g.writes.close())
	}
	return errors.Join(errs...)
}
