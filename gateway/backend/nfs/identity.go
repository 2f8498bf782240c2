package nfs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"forebay/cachecore"
	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// identity is what tells a medium from others (PROTOCOL D6): the file system's id and the handle of its root.
type identity struct {
	fsid   uint64
	handle string // the bytes
}

func (i identity) String() string {
	return fmt.Sprintf("nfs.%016x.%s", i.fsid, hex.EncodeToString([]byte(i.handle)))
}

// errStale: the filer does not know the root by the handle that it gave for it.
var errStale = errors.New("the root's handle has become stale")

// greeting is the call that every connection begins with.
func (f *Filer) greeting() *rpc.Request {
	return &rpc.Request{Procedure: uint32(wire.ProcGetAttr), Cred: f.credentials(&wire.Caller{}), Args: &wire.HandleArgs{Object: f.root}, Idempotent: true}
}

// greeted judges a connection by the root that is behind it: another filer may have taken the address, or another medium the place.
func (f *Filer) greeted(reply *rpc.Reply) error {
	var r wire.GetAttrResult
	if err := reply.Decode(&r); err != nil {
		return err
	}
	err := f.verify(&r)
	if errors.Is(err, cachecore.ErrIdentity) {
		f.health.goAway(err)
	}
	return err
}

// verify fails unless the root is that of the medium which was attached. The first one that is seen is expected from then on, if none was
// before.
func (f *Filer) verify(r *wire.GetAttrResult) error {
	switch r.Status {
	case wire.OK:
	case wire.ErrStale, wire.ErrBadHandle:
		return fmt.Errorf("%w: %w", cachecore.ErrIdentity, errStale)
	default:
		return fmt.Errorf("GETATTR of the root: %w", r.Status)
	}
	seen := identity{r.Attr.FSID, string(f.root)}
	f.known.Do(func() { f.identity = seen })
	switch {
	case f.opts.Expected != "" && f.opts.Expected != seen.String():
		return fmt.Errorf("%w: %s instead of %s", cachecore.ErrIdentity, seen, f.opts.Expected)
	case seen != f.identity:
		return fmt.Errorf("%w: %s instead of %s", cachecore.ErrIdentity, seen, f.identity)
	}
	return nil
}

// sound asks for a sign of life.
func (f *Filer) sound(ctx context.Context) error {
	var r wire.GetAttrResult
	ask := request{procedure: wire.ProcGetAttr, caller: &wire.Caller{}, args: &wire.HandleArgs{Object: f.root}, result: &r}
	if err := f.exchange(ctx, nil, f.pick(ask.weight()), &ask); err != nil {
		return err
	}
	return f.verify(&r)
}
