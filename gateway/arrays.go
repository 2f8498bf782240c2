package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/backend/directory"
	"forebay/gateway/backend/file"
	"forebay/gateway/backend/iscsi"
	"forebay/gateway/backend/nfs"
)

// arrays makes the attachments of configured arrays. It is this gateway as they see it.
type arrays struct {
	store     etcd.Store        // of identities
	initiator string            // iSCSI name
	key       uint64            // of persistent reservations, this boot's; the last byte counts paths
	started   time.Time         // this process
	filers    map[string]*filer // by the names of their arrays, as they were asked for
	log       zerolog.Logger
}

// attachment makes that of the array which a volume is over.
func (r arrays) attachment(a configs.Array, v configs.Volume) *attachment {
	switch {
	case a.ISCSI != nil:
		return r.iscsi(a, v)
	case a.NFS != nil:
		return r.onFiler(a, v)
	case a.Directory != nil:
		return r.file(a.Name+v.From.Path, file.Options{Path: filepath.Join(a.Directory.Path, v.From.Path)}, v)
	default:
		return r.file(a.Name, file.Options{Path: a.File.Path, Size: int64(a.File.Size), Create: true}, v)
	}
}

func (r arrays) file(name string, o file.Options, v configs.Volume) *attachment {
	medium := &medium{array: name, store: r.store}
	o.BlockSize, o.Log = v.ISCSI.BlockSize, r.log
	return newAttachment(name, "file", func(ctx context.Context) (backend, error) {
		return verified(ctx, medium, func(expected string) (backend, error) {
			o := o
			o.Expected = expected
			return file.Open(o)
		}, identityOf)
	}, r.log)
}

// onFiler is a file of a filer, which heals itself as the filer does.
func (r arrays) onFiler(a configs.Array, v configs.Volume) *attachment {
	f := r.filer(a)
	medium := &medium{array: a.Name + v.From.Path, store: r.store}
	var at *attachment
	at = newAttachment(a.Name+v.From.Path, "nfs", func(ctx context.Context) (backend, error) {
		below, err := f.remote()
		if err != nil {
			return nil, err
		}
		return verified(ctx, medium, func(expected string) (backend, error) {
			return nfs.OpenFile(ctx, below, nfs.FileOptions{Path: v.From.Path, BlockSize: v.ISCSI.BlockSize, Expected: expected, Watch: func(e nfs.FileEvent) {
				at.hear(event(e))
			}})
		}, identityOf)
	}, r.log)
	at.heals = true
	return at
}

// filer is the array that has files of that configuration, one for all its volumes.
func (r arrays) filer(a configs.Array) *filer {
	if f := r.filers[a.Name]; f != nil {
		return f
	}
	f := r.directory(a)
	if a.NFS != nil {
		f = r.nfs(a)
	}
	r.filers[a.Name] = f
	return f
}

func (r arrays) nfs(a configs.Array) *filer {
	x := a.NFS
	medium := &medium{array: a.Name, store: r.store}
	o := nfs.Options{Server: x.Server, Export: x.Export, Port: x.Port, MountPort: x.MountPort, Connections: x.Connections,
		Log: r.log.With().Str("array", a.Name).Logger()}
	var f *filer
	f = newFiler(a.Name, filerNFS, func(ctx context.Context) (files, error) {
		return verified(ctx, medium, func(expected string) (files, error) {
			o := o
			o.Expected = expected
			o.Watch = func(e nfs.Event) {
				if e.VerifierChanged {
					f.forgot()
				}
				f.hear(e.Available, e.Reason)
			}
			return nfs.Open(ctx, o)
		}, files.Identity)
	}, r.log)
	return f
}

func (r arrays) directory(a configs.Array) *filer {
	medium := &medium{array: a.Name, store: r.store}
	return newFiler(a.Name, filerDirectory, func(ctx context.Context) (files, error) {
		return verified(ctx, medium, func(expected string) (files, error) {
			return directory.Open(directory.Options{Path: a.Directory.Path, Expected: expected, Log: r.log.With().Str("array", a.Name).Logger()})
		}, files.Identity)
	}, r.log)
}

// iscsi is an array that heals itself: it is opened until that succeeds, and then tells of its coming and going. Each LUN has an identity
// of its own.
func (r arrays) iscsi(a configs.Array, v configs.Volume) *attachment {
	x := a.ISCSI
	o := iscsi.Options{
		Target: x.Target, LUN: uint16(v.From.LUN), InitiatorName: r.initiator, Digests: x.Digests == configs.DigestsCRC32C,
		Reserve: x.Reserve == nil || *x.Reserve, Key: r.key, Started: r.started, BlockSize: v.ISCSI.BlockSize, Log: r.log.With().Str("array", a.Name).Logger(),
	}
	for _, p := range x.Portals {
		o.Portals = append(o.Portals, string(p))
	}
	if c := credentials(x.CHAP); c != nil {
		o.CHAP = *c
	}
	medium := &medium{array: fmt.Sprintf("%s/%d", a.Name, v.From.LUN), store: r.store}
	var at *attachment
	at = newAttachment(a.Name, "iscsi", func(ctx context.Context) (backend, error) {
		return verified(ctx, medium, func(expected string) (backend, error) {
			o := o
			o.Expected, o.Watch = expected, func(e iscsi.Event) { at.hear(event(e)) }
			return iscsi.Open(ctx, o)
		}, identityOf)
	}, r.log)
	at.heals = true
	return at
}

// medium is what is known of an array's identity (PROTOCOL D6). It belongs to the goroutine that attaches.
type medium struct {
	array    string
	store    etcd.Store
	identity string // once verified: the control plane, which may be away by then, is not asked for it again
}

func identityOf(b backend) string { return b.Info().Identity }

// identityTimeout is what the control plane gets to answer.
const identityTimeout = 10 * time.Second

// verified opens an array against the identity that is stored of it, and stores that at the first attachment.
func verified[B io.Closer](ctx context.Context, m *medium, open func(expected string) (B, error), identity func(B) string) (opened B, err error) {
	if m.identity != "" {
		return open(m.identity)
	}
	expected, err := m.stored(ctx)
	if err != nil {
		return opened, err
	}
	if opened, err = open(expected); err != nil {
		return opened, err
	}
	if err := m.keep(ctx, identity(opened)); err != nil {
		return opened, errors.Join(fmt.Errorf("not attached: %w", err), opened.Close())
	}
	return opened, nil
}

func (m *medium) stored(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return m.store.Identity(ctx, m.array)
}

func (m *medium) keep(ctx context.Context, identity string) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	if err := m.store.StoreIdentity(ctx, m.array, identity); err != nil {
		return err
	}
	m.identity = identity
	return nil
}
