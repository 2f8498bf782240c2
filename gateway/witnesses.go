package gateway

import (
	"context"
	"errors"
	"path/filepath"

	"forebay/cachecore/flash"
	"forebay/gateway/witnesses"
)

// witnessesFile is where it is noted what flash has of exports' files for sure, in the data-dir.
const witnessesFile = "nfs-witnesses"

// openWitnesses opens that file, if there is an export over a flash tier. Exports go on without it: what an earlier life has noted stays true, as nothing more
// is kept under the keys of then.
func (g *Gateway) openWitnesses() {
	under := map[witnesses.Hash]flash.ID{} // the stores of volumes
	for _, v := range g.config.Volumes {
		if p := g.pools[v.Pool]; v.NFS != nil && p != nil && p.flash.current() != nil {
			under[witnesses.HashOf(v.Name)] = p.flash.current().ID()
		}
	}
	if len(under) == 0 {
		return
	}
	path := filepath.Join(g.config.Gateway.DataDir, witnessesFile)
	file, err := witnesses.Open(path, witnesses.Options{
		Keep:    func(volume witnesses.Hash, store flash.ID) bool { return under[volume] == store },
		Condemn: g.condemn,
		Log:     g.log.With().Str("file", path).Logger(),
	})
	if err != nil {
		g.log.Warn().Err(err).Msg("what flash has of exports' files is of no use after the next start")
		return
	}
	g.log.Info().Int("files", file.Count()).Msg("files of exports that may be in flash from an earlier life")
	g.witnesses = file
	for _, p := range g.pools {
		if p.flash.current() != nil {
			p.flash.witnesses = file
		}
	}
}

// condemn has nothing of a store found at the next start.
func (g *Gateway) condemn(id flash.ID) error {
	for _, p := range g.pools {
		if s := p.flash.current(); s != nil && s.ID() == id {
			return p.flash.notes.setStore(p.name, flash.ID{})
		}
	}
	return nil // it has gone
}

// closeWitnesses comes when no volume is served any more.
func (g *Gateway) closeWitnesses() {
	if g.witnesses == nil {
		return
	}
	if err := g.witnesses.Close(); err != nil {
		g.log.Warn().Err(err).Msg("what flash has of exports' files may be of no use after the next start")
	}
}

// witnessesOf are those of a volume; nil: there are none, and won't be.
func (f *poolFlash) witnessesOf(volume string) *witnesses.Volume {
	if f == nil || f.witnesses == nil {
		return nil
	}
	return f.witnesses.Of(volume)
}

// dropCache forgets all that is cached, here and in flash, for this life and those after it.
func (s *share) dropCache(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), identityTimeout) // who asked may go
	defer cancel()
	err := s.export.Forget(ctx)
	if f := s.pool.flash; f.current() != nil && f.witnesses == nil { // nobody knows what an earlier life has noted
		err = errors.Join(err, f.notes.setStore(f.pool, flash.ID{}))
	}
	if err == nil {
		s.log.Info().Msg("the cache is emptied, as asked for")
	}
	return err
}
