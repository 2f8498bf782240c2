package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/cachecore/stats"
	"forebay/configs"
	"forebay/gateway/export"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/server"
)

// share is one configured volume that is an NFS export: a filer below, the cache, and what the NFS server serves above.
type share struct {
	config     configs.Volume
	pool       *pool
	filer      *filer
	staged     *stagedFiles // nil: writes are the filer's to answer
	stats      *stats.Volume
	procedures *procedures
	export     *export.Export
	served     *server.Export
	log        zerolog.Logger
}

// newShare makes an export with that number (etcd.HandleStore).
func newShare(c configs.Volume, id uint16, p *pool, objects *export.Objects, f *filer, l *stagedFiles, soft bool, log zerolog.Logger) (*share, error) {
	x := c.NFS
	s := &share{config: c, pool: p, filer: f, staged: l, stats: new(stats.Volume), procedures: new(procedures), log: log.With().Str("volume", c.Name).Logger()}
	s.export = export.New(export.Options{Files: l.over(f), Objects: objects, Store: p.store, Buffers: p.buffers, Stats: s.stats,
		Flash: p.flash.current, Witnesses: p.flash.witnessesOf(c.Name), Filer: f.identity,
		AttributeCache: time.Duration(x.AttributeCache), SoleWriter: x.SoleWriter, OnArrayLoss: c.Policy.OnArrayLoss.Hold, Soft: soft, Interruptible: f.kind == filerNFS})
	s.served = &server.Export{ID: id, Path: x.Export, Files: s.export, Root: f.root, Squash: squashes[x.Squash],
		Anon: nfs.Caller{UID: x.Anon.UID, GID: x.Anon.GID}, ReadOnly: x.ReadOnly, SecurePorts: x.SecurePorts}
	for _, network := range x.Clients {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("volume %s: client network: %w", c.Name, err)
		}
		s.served.Clients = append(s.served.Clients, prefix)
	}
	f.users = append(f.users, s)
	export.Beside(f.exports()...)
	return s, nil
}

var squashes = map[string]server.Squash{configs.SquashNone: server.SquashNone, configs.SquashRoot: server.SquashRoot, configs.SquashAll: server.SquashAll}

// filerThere implements filerUser.
func (s *share) filerThere() {
	s.export.Wake()
	s.log.Info().Str("export", s.config.NFS.Export).Msg("volume serves")
}

// filerAway implements filerUser. Calls are held as long as the policy says, which is the export's to know.
func (s *share) filerAway() {}

// filerForgot implements filerUser.
func (s *share) filerForgot() { s.export.Drop() }

func (s *share) name() string { return s.config.Name }

// run carries what is acknowledged to the filer, which comes and goes by itself, and notes what flash has for the next life.
func (s *share) run(ctx context.Context) {
	var all sync.WaitGroup
	if s.staged != nil {
		all.Go(func() { s.staged.Run(ctx) })
	}
	s.export.Run(ctx)
	all.Wait()
}

// serves says whether the volume answers, and if not, why.
func (s *share) serves() (ready bool, reason string) {
	if s.staged != nil && s.staged.offline() != "" {
		return false, s.staged.offline()
	}
	return s.filer.state()
}

// close ends what is under way in the export, and makes what was answered as durable as it can be.
func (s *share) close(ctx context.Context) error {
	if s.staged != nil {
		s.staged.unhold()
		flush, cancel := context.WithTimeout(ctx, grace-exportGrace) // which a filer that is away takes whole
		defer cancel()
		if err := s.staged.Flush(flush); err != nil {
			s.log.Error().Err(err).Msg("what was acknowledged could not be carried to the filer at the end")
		}
	}
	if err := s.export.Close(ctx); err != nil {
		return fmt.Errorf("volume %s: I/O under way: %w", s.config.Name, err)
	}
	return nil
}
