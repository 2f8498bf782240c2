package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/backend/file"
	"forebay/gateway/backend/iscsi"
)

// arrays makes the attachments of configured arrays. It is this gateway as they see it.
type arrays struct {
	store     etcd.Store // of identities
	initiator string     // iSCSI name
	key       uint64     // of persistent reservations, this boot's; the last byte counts paths
	started   time.Time  // this process
	log       zerolog.Logger
}

// attachment makes that of the array which a volume is over.
func (r arrays) attachment(a configs.Array, v configs.Volume) *attachment {
	if a.ISCSI != nil {
		return r.iscsi(a, v)
	}
	medium := &medium{array: a.Name, store: r.store}
	return newAttachment(a.Name, "file", func(ctx context.Context) (backend, error) {
		return medium.verified(ctx, func(expected string) (backend, error) {
			return file.Open(file.Options{Path: a.File.Path, Size: int64(a.File.Size), Create: true, BlockSize: v.ISCSI.BlockSize, Expected: expected, Log: r.log})
		})
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
		return medium.verified(ctx, func(expected string) (backend, error) {
			o := o
			o.Expected, o.Watch = expected, at.hear
			return iscsi.Open(ctx, o)
		})
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

// identityTimeout is what the control plane gets to answer.
const identityTimeout = 10 * time.Second

// verified opens an array against the identity that is stored of it, and stores that at the first attachment.
func (m *medium) verified(ctx context.Context, open func(expected string) (backend, error)) (backend, error) {
	if m.identity != "" {
		return open(m.identity)
	}
	expected, err := m.stored(ctx)
	if err != nil {
		return nil, err
	}
	array, err := open(expected)
	if err != nil {
		return nil, err
	}
	if err := m.keep(ctx, array.Info().Identity); err != nil {
		return nil, errors.Join(fmt.Errorf("not attached: %w", err), array.Close())
	}
	return array, nil
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
