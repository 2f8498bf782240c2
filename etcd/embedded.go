package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// EmbeddedOptions of StartEmbedded.
type EmbeddedOptions struct {
	Dir   string // folder of this server alone, made if missing
	Log   zerolog.Logger
	Quota int64 // bytes that the database may have before nothing can be changed any more; 0: 2 GiB
}

const defaultQuota = 2 << 30

// Embedded is an etcd server in this process, alone, which listens on a unix socket in its folder and nowhere else. What it calls fatal
// ends the server and not the process.
type Embedded struct {
	dir    *os.File // its lock is this process's claim on the folder; its descriptor the way to the socket
	server *embed.Etcd
	client *clientv3.Client
	failed failure
	quota  int64

	log      *zapCore
	close    sync.Once
	closeErr error
}

// ErrInUse: another process runs its server in the folder.
var ErrInUse = errors.New("in use by another process: does a gateway with the same data-dir run already?")

// closeTimeout is what a server gets to stop.
const closeTimeout = 5 * time.Second

// maxTxn and maxRequest, in bytes, let one transaction hold all objects of a file, each of them twice. It is as much as the server takes without a warning.
const maxTxn, maxRequest = 1 << 15, 10 << 20

// StartEmbedded returns when the server answers. If ctx ends before, it is stopped again.
func StartEmbedded(ctx context.Context, o EmbeddedOptions) (*Embedded, error) {
	dir, err := claim(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded etcd: %w", err)
	}
	e := &Embedded{dir: dir, quota: cmp.Or(o.Quota, defaultQuota), log: newZapCore(o.Log), failed: make(failure, 1)}
	if err := e.start(ctx, o.Dir, zap.New(e.log, zap.WithFatalHook(e.failed), zap.WithPanicHook(e.failed))); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded etcd in %s: %w", o.Dir, err), e.Close())
	}
	return e, nil
}

func (e *Embedded) start(ctx context.Context, dir string, log *zap.Logger) error {
	if err := e.launch(e.config(dir, log)); err != nil {
		return err
	}
	go e.watch()
	select {
	case <-e.server.Server.ReadyNotify():
	case err := <-e.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	e.client, err = clientv3.New(clientv3.Config{Endpoints: e.Endpoints(), DialTimeout: 5 * time.Second, MaxCallSendMsgSize: maxRequest, Logger: log})
	return err
}

// launch has a goroutine of its own, as what is fatal ends it. A panic is how the server meets some damages of its files.
func (e *Embedded) launch(c *embed.Config) (err error) {
	launched := make(chan struct{})
	go func() {
		defer close(launched)
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("the server panicked while it started, its files may be damaged: %v", cause)
			}
		}()
		e.server, err = embed.StartEtcd(c)
	}()
	<-launched
	if e.server == nil && err == nil {
		err = <-e.failed
	}
	return err
}

// watch notices a server that stops, for whatever reason.
func (e *Embedded) watch() {
	err := errors.New("the server stopped")
	select {
	case told, open := <-e.server.Err():
		if open {
			err = told
		}
	case <-e.server.Server.StopNotify():
	}
	e.failed.tell(err)
}

// claim locks the folder. The lock goes with the process, however that ends.
func claim(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return dir, nil
}

func (e *Embedded) config(dir string, log *zap.Logger) *embed.Config {
	c := embed.NewConfig()
	c.Name, c.Dir = "forebay", filepath.Clean(dir)
	c.ListenClientUrls = []url.URL{e.socket()}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ListenPeerUrls, c.AdvertisePeerUrls = nil, []url.URL{{Scheme: "unix", Host: "alone"}} // a member must have an address; nobody calls
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.EnableGRPCGateway = false
	c.MaxTxnOps, c.MaxRequestBytes, c.QuotaBackendBytes = maxTxn, maxRequest, e.quota
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log)
	return c
}

// socket is the URL of client.sock in the folder, by way of its descriptor: so the path is short (the kernel takes 108 bytes) and without the
// characters that URLs and etcd's lists give a meaning to, whatever the folder is called. A stale socket is removed by the listener.
func (e *Embedded) socket() url.URL {
	return url.URL{Scheme: "unix", Path: fmt.Sprintf("/proc/self/fd/%d/client.sock", e.dir.Fd())}
}

// Endpoints are what a client in this process connects to. Another process on this machine finds the socket as client.sock in the folder.
func (e *Embedded) Endpoints() []string {
	u := e.socket()
	return []string{u.String()}
}

// Store asks this server. It is no longer of use after Close.
func (e *Embedded) Store() Store { return embeddedStore{&store{client{e.client}}, e} }

// embeddedStore leaves a quarter of the server's quota to what a gateway can't do without. Handles stay for good, and clients have them made: as many as there
// are files that they look at.
type embeddedStore struct {
	*store
	on *Embedded
}

var errHandles = errors.New("there are so many that the control plane has no room for more")

func (s embeddedStore) StoreHandle(ctx context.Context, hash [32]byte, handle []byte) error {
	if s.on.server.Server.Backend().Size() < s.on.quota/4*3 {
		return s.store.StoreHandle(ctx, hash, handle)
	}
	switch known, err := s.Handle(ctx, hash); {
	case err != nil:
		return err
	case known == nil:
		return fmt.Errorf("store a handle: %w", errHandles)
	}
	return nil
}

// Failed tells, once, why the server no longer serves.
func (e *Embedded) Failed() <-chan error { return e.failed }

// Close stops the server and gives its folder up, once. A server that doesn't stop, as one that has failed may not, keeps its folder to the
// process's end.
func (e *Embedded) Close() error {
	e.close.Do(func() { e.closeErr = e.stop() })
	return e.closeErr
}

func (e *Embedded) stop() error {
	var err error
	e.log.quiet.Store(true)
	if e.client != nil {
		err = e.client.Close()
	}
	if e.server != nil {
		stopped := make(chan struct{})
		go func() {
			e.server.Close()
			close(stopped)
		}()
		select {
		case <-stopped:
		case <-time.After(closeTimeout):
			return errors.Join(err, errors.New("embedded etcd does not stop"))
		}
	}
	return errors.Join(err, e.dir.Close())
}
