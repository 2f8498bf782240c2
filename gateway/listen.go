package gateway

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// retryListen is the pause between two attempts to listen.
const retryListen = time.Second

// listeners are what the gateway listens on, or tries to.
type listeners struct {
	log zerolog.Logger
	mu  struct {
		sync.Mutex
		all []*listening // as they were added
	}
}

// listening is one configured address. What isn't fixed is guarded by listeners.mu.
type listening struct {
	service, configured string
	address             string // where it listens; empty: nowhere
	trouble             string // why not
}

func newListeners(log zerolog.Logger) *listeners { return &listeners{log: log} }

// add makes an address one of those that the gateway is to listen on.
func (l *listeners) add(service, configured string) *listening {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &listening{service: service, configured: configured, trouble: "not listened on yet"}
	l.mu.all = append(l.mu.all, x)
	return x
}

// run serves an address until ctx ends: it waits for a port that is taken, and listens again if the listener fails. serve closes the
// listener, and returns nil when it is no longer to be served.
func (l *listeners) run(ctx context.Context, x *listening, serve func(context.Context, net.Listener) error) {
	l.keep(ctx, x, func(up func(net.Addr)) error {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", x.configured)
		if err != nil {
			return err
		}
		up(listener.Addr())
		return serve(ctx, listener)
	})
}

// runPacket is run for datagrams.
func (l *listeners) runPacket(ctx context.Context, x *listening, address string, serve func(context.Context, net.PacketConn) error) {
	l.keep(ctx, x, func(up func(net.Addr)) error {
		socket, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
		if err != nil {
			return err
		}
		up(socket.LocalAddr())
		return serve(ctx, socket)
	})
}

// keep has open listen and serve, which calls up in between, until ctx ends.
func (l *listeners) keep(ctx context.Context, x *listening, open func(up func(net.Addr)) error) {
	log := l.log.With().Str("listener", x.service).Logger()
	again := time.NewTicker(retryListen)
	defer again.Stop()
	for {
		err := open(func(at net.Addr) {
			l.up(x, at.String())
			log.Info().Str("address", at.String()).Msg("listening")
		})
		if err == nil || ctx.Err() != nil {
			l.down(x, "no longer listened on")
			return
		}
		if l.down(x, err.Error()) {
			log.Warn().Err(err).Str("address", x.configured).Msg("can't listen; free the address or configure another one; trying again every second")
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func (l *listeners) up(x *listening, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x.address, x.trouble = address, ""
}

// down notes why an address is not listened on and says whether that is news.
func (l *listeners) down(x *listening, trouble string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := x.trouble != trouble
	x.address, x.trouble = "", trouble
	return news
}

// of lists the addresses where a service listens.
func (l *listeners) of(service string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []string{}
	for _, x := range l.mu.all {
		if x.service == service && x.address != "" {
			list = append(list, x.address)
		}
	}
	return list
}

// troubles say why which addresses are not listened on.
func (l *listeners) troubles() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, x := range l.mu.all {
		if x.trouble != "" {
			list = append(list, x.service+" "+x.configured+": "+x.trouble)
		}
	}
	return list
}
