package nfs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	wire "forebay/protocols/nfs"
)

// Filer is an attached export of an NFS server.
type Filer struct {
	opts     Options
	root     wire.Handle
	known    sync.Once // the identity is
	identity identity
	info     Info
	machine  []byte

	channels []*channel
	picks    sync.Mutex // held while one is picked; a leaf
	health   *health
	audience *audience
	verifier verifier
	doubts   *doubts
	intents  intents
	buffers  buffers

	life  context.Context // of the goroutines
	end   context.CancelFunc
	works sync.WaitGroup // the goroutines
	calls sync.WaitGroup // of Do
}

var _ wire.FileSystem = (*Filer)(nil)

// Info is what a filer has told of itself.
type Info struct {
	FSID              uint64
	ReadMax, WriteMax uint32 // bytes that one READ and one WRITE transfer
}

var errClosed = errors.New("closed")

// Open mounts the export and looks at its root. It wraps cachecore.ErrIdentity if it isn't the expected medium, and wire.ErrAway where
// waiting may help.
func Open(ctx context.Context, o Options) (*Filer, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	root, port, err := o.mount(ctx)
	if err != nil {
		return nil, fmt.Errorf("mount %s:%s: %w", o.Server, o.Export, err)
	}
	f := newFiler(o, root)
	f.connect(port)
	if err := f.attach(ctx); err != nil {
		f.Close()
		return nil, fmt.Errorf("attach %s:%s: %w", o.Server, o.Export, err)
	}
	f.audience.add(o.Watch, nil)
	up, err := f.health.enter()
	if err != nil { // before anybody heard of it
		f.Close()
		return nil, fmt.Errorf("attach %s:%s: %w", o.Server, o.Export, err)
	}
	f.health.leave(up, false)
	return f, nil
}

func newFiler(o Options, root wire.Handle) *Filer {
	f := &Filer{opts: o, root: root, machine: machineName(), audience: new(audience)}
	f.life, f.end = context.WithCancel(context.Background())
	f.doubts = newDoubts(o.Drain)
	f.health = newHealth(f)
	return f
}

// attach learns what the filer is.
func (f *Filer) attach(ctx context.Context) error {
	var attr wire.GetAttrResult
	var info wire.FSInfoResult
	for p, r := range map[wire.Procedure]wire.Message{wire.ProcGetAttr: &attr, wire.ProcFSInfo: &info} {
		err := f.Do(ctx, &wire.Caller{}, p, &wire.HandleArgs{Object: f.root}, r)
		if s := wire.StatusOf(r); err == nil && *s != wire.OK {
			err = *s
		}
		if err != nil {
			return fmt.Errorf("%v of the root: %w", p, err)
		}
	}
	f.info = Info{FSID: attr.Attr.FSID, ReadMax: transferSize(info.ReadMax), WriteMax: transferSize(info.WriteMax)}
	return nil
}

// transferSize is what one call carries: what the filer takes, within our own bounds. One that takes nothing is not believed.
func transferSize(most uint32) uint32 { return min(max(most, 512), maxTransfer) }

// Root is the handle of the export's root directory.
func (f *Filer) Root() wire.Handle { return f.root }

// Identity is the stable name of the medium (PROTOCOL D6).
func (f *Filer) Identity() string { return f.identity.String() }

// Info is what the filer told of itself at Open.
func (f *Filer) Info() Info { return f.info }

// Close ends all calls and the connections.
func (f *Filer) Close() error {
	f.health.close()
	f.end()
	for _, c := range f.channels {
		c.Close()
	}
	f.calls.Wait()
	f.works.Wait()
	return nil
}
