package gateway

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"forebay/configs"
	"forebay/etcd"
	"forebay/gateway/requests"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/server"
)

// nfsServer serves the exports: NFS and MOUNT, and if configured a port mapper that tells where they are.
type nfsServer struct {
	mount    *mount.Server
	rpc      *rpc.Server
	mapper   *rpc.Server
	requests *requests.Journal // nil: it can't be read
	log      zerolog.Logger
}

// buildNFS makes what serves the shares.
func (g *Gateway) buildNFS(ctx context.Context) error {
	if len(g.shares) == 0 {
		return nil
	}
	key, err := g.store.ClusterKey(ctx)
	if err != nil {
		return err
	}
	observed, n := exports{}, &nfsServer{log: g.log}
	o := server.Options{Key: key, LongHandles: longHandles{g.store}, Observer: observed, Logger: g.log}
	if n.requests, err = requests.Open(filepath.Join(g.config.Gateway.DataDir, requestsFile), g.log); err == nil {
		o.Requests = n.requests
	} else {
		g.log.Warn().Err(err).Msg("NFS requests are not recorded: should the gateway be killed, changes whose answers are lost with it are executed again")
	}
	for _, s := range g.shares {
		observed[s.served] = s
		o.Exports = append(o.Exports, s.served)
	}
	program, err := server.New(o)
	if err != nil {
		n.endRequests()
		return err
	}
	limits, listen := g.config.Gateway.Limits, g.config.Gateway.Listen
	n.mount = mount.NewServer(program)
	n.rpc = rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{program, n.mount}, Buffers: g.writes.buffers, Logger: g.log,
		Limits: rpc.Limits{Memory: int(limits.MemoryPerConnection)}})
	n.mapper = rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{mappings(listen)}, Logger: g.log, IdleTimeout: time.Minute})
	g.nfs = n
	return nil
}

// requestsFile is where requests are recorded, in the data-dir.
const requestsFile = "nfs-requests"

// endRequests ends the record of requests. What is still under way then may have been executed, as far as the next life knows.
func (n *nfsServer) endRequests() {
	if n.requests == nil {
		return
	}
	if err := n.requests.Close(); err != nil {
		n.log.Warn().Err(err).Msg("the record of NFS requests")
	}
}

// mappings are what the port mapper tells.
func mappings(l configs.Listen) portmap.Server {
	list := portmap.Server{{Program: nfs.Program, Version: nfs.Version, Protocol: portmap.TCP, Port: portOf(l.NFS)}}
	for version := uint32(mount.LowVersion); version <= mount.Version; version++ {
		list = append(list, portmap.Mapping{Program: mount.Program, Version: version, Protocol: portmap.TCP, Port: portOf(l.Mount)})
	}
	for _, protocol := range []uint32{portmap.TCP, portmap.UDP} {
		list = append(list, portmap.Mapping{Program: portmap.Program, Version: portmap.Version, Protocol: protocol, Port: portOf(l.Portmap)})
	}
	return list
}

func portOf(a configs.Address) uint32 {
	ap, err := netip.ParseAddrPort(string(a))
	if err != nil {
		return 0 // it is off
	}
	return uint32(ap.Port())
}

// serveNFS listens, if there are exports.
func (g *Gateway) serveNFS(frontends *tasks) {
	if g.nfs == nil {
		return
	}
	l := g.config.Gateway.Listen
	g.listen(frontends, serviceNFS, l.NFS, g.nfs.rpc.Serve)
	g.listen(frontends, serviceMount, l.Mount, g.nfs.rpc.Serve)
	if l.Portmap.On() {
		g.listen(frontends, servicePortmap, l.Portmap, g.nfs.mapper.Serve)
		at := g.listeners.add(servicePortmap, string(l.Portmap)+"/udp")
		frontends.run(func(ctx context.Context) { g.listeners.runPacket(ctx, at, string(l.Portmap), g.nfs.mapper.ServePacket) })
	}
}

func (g *Gateway) listen(frontends *tasks, service string, address configs.Address, serve func(context.Context, net.Listener) error) {
	at := g.listeners.add(service, string(address))
	frontends.run(func(ctx context.Context) { g.listeners.run(ctx, at, serve) })
}

// shutdown has calls under way answered until ctx ends, then cuts all connections.
func (n *nfsServer) shutdown(ctx context.Context) {
	if n == nil {
		return
	}
	n.mapper.Shutdown(ctx)
	n.rpc.Shutdown(ctx)
	n.endRequests()
}

// longHandles is a server.LongHandles in the control plane.
type longHandles struct{ store etcd.HandleStore }

func (l longHandles) Store(ctx context.Context, hash [32]byte, h nfs.Handle) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return l.store.StoreHandle(ctx, hash, h)
}

func (l longHandles) Load(ctx context.Context, hash [32]byte) (nfs.Handle, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	return l.store.Handle(ctx, hash)
}
