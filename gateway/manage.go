package gateway

import (
	"context"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"forebay/cachecore/calls"
	"forebay/gateway/api"
)

// apiGrace is what requests under way get to be answered at the end.
const apiGrace = time.Second

// serveAPI serves the management interface on a listener until ctx ends. When it returns, requests have been answered, or cut and are over.
func (g *Gateway) serveAPI(ctx context.Context, l net.Listener) error {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{g})
	under := new(calls.Calls)
	requests, cut := context.WithCancel(context.Background())
	defer cut()
	server := &http.Server{
		Handler:           counted(api.Handler(g, metrics), under),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          stdlog.New(g.log.With().Str("listener", serviceAPI).Str("level", "warn").Logger(), "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		server.Close()
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), apiGrace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		cut() // not every request notices that its connection is
		server.Close()
	}
	<-served
	return under.Close(context.Background()) // an operation that isn't to be called off goes on when its connection is cut, with what is freed next
}

// counted has requests under way counted.
func counted(h http.Handler, under *calls.Calls) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !under.Enter() {
			http.Error(w, "the gateway ends", http.StatusServiceUnavailable)
			return
		}
		defer under.Leave()
		h.ServeHTTP(w, r)
	})
}

// Ready implements api.Source: nil if every volume is served and every address listened on.
func (g *Gateway) Ready() error {
	var troubles []error
	for _, v := range g.volumes() {
		if ready, reason := v.serves(); !ready {
			troubles = append(troubles, errors.New("volume "+v.name()+": "+reason))
		}
	}
	for _, trouble := range g.listeners.troubles() {
		troubles = append(troubles, errors.New(trouble))
	}
	return errors.Join(troubles...)
}
