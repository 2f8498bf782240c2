package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
	"forebay/configs"
	"forebay/gateway/staged"
	"forebay/protocols/nfs"
)

// stagedFiles is what acknowledges the writes of an export: its filer with the pool's write log before it, and the policy.
type stagedFiles struct {
	*back
	files *staged.FileSystem
}

// stage puts the pool's write log before a filer; nil: there is none, or others use the filer, who would not see what it has. bases is told the epoch
// below which records don't count.
func (g *Gateway) stage(ctx context.Context, c configs.Volume, p *pool, f *filer, bases map[writelog.Shard]cachecore.Epoch) (*stagedFiles, error) {
	if p.log == nil {
		return nil, nil
	}
	naa, err := g.store.NAA(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	if g.config.Exports(c.From.Array) > 1 {
		return nil, g.unlogged(ctx, p.log, shardOfFiles(naa, c.From.Array), c)
	}
	record, err := g.store.Shard(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	verifier, err := writeVerifier(naa, record.Losses, p.log.durable)
	if err != nil {
		return nil, err
	}
	l := new(stagedFiles)
	l.files, err = staged.New(staged.Options{Files: f, Verifier: verifier, Durable: p.log.durable, Logger: g.log.With().Str("volume", c.Name).Logger(),
		Parked: filepath.Join(g.config.Gateway.DataDir, parkedDir, c.Name)})
	if err != nil {
		return nil, fmt.Errorf("volume %s: %w", c.Name, err)
	}
	var base cachecore.Epoch
	over := func(array string) writelog.Shard { return shardOfFiles(naa, array) }
	if l.back, base, err = g.newBackOver(ctx, c, p, l.files.Array(), l.files.Log(p.log), over); err != nil {
		return nil, err
	}
	bases[l.shard] = base
	l.files.Use(l.Array)
	if l.offline() == "" {
		l.recover = l.files.Recover
	}
	return l, nil
}

// parkedDir is the directory below the gateway's own for what filers have refused for good.
const parkedDir = "refused"

// shardOfFiles is an export's shard in a log. Handles are a filer's own: over another array it is another one.
func shardOfFiles(naa [16]byte, array string) writelog.Shard {
	sum := sha256.Sum256(append(naa[:], array...))
	return shardOf([16]byte(sum[:16]))
}

// writeVerifier is an export's: of a log that lasts the same until what it had is declared lost, of one in RAM another one in every life (PROTOCOL H3).
func writeVerifier(naa [16]byte, losses uint64, lasts bool) (v nfs.Verifier, err error) {
	if !lasts {
		_, err = rand.Read(v[:])
		return v, err
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("write verifier "), naa[:]...), losses))
	return nfs.Verifier(sum[:8]), nil
}

// over is the file system that an export lies over.
func (l *stagedFiles) over(f *filer) nfs.FileSystem {
	if l == nil {
		return f
	}
	return l.files
}
