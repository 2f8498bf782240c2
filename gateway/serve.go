package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The services that listen.
const (
	serviceISCSI   = "iscsi"
	serviceNFS     = "nfs"
	serviceMount   = "mount"
	servicePortmap = "portmap"
	serviceAPI     = "api"
)

// The end has three steps that wait: for commands, for volumes, for arrays. Each gets its time and no more: a call that the kernel never
// answers must not keep the process, nor one volume the others.
const (
	stepTimeout = 10 * time.Second
	grace       = 8 * time.Second // of a step: after that calls are cancelled, and connections cut whose commands are not answered

	exportGrace = time.Second // of that, for an export when what was acknowledged has been carried, or could not be
)

// serve runs what was built until ctx ends, and ends it.
func (g *Gateway) serve(ctx context.Context, controlPlaneFailed <-chan error) error {
	filers, attachments, frontends, management := newTasks(), newTasks(), newTasks(), newTasks()
	for _, f := range g.filers {
		filers.run(f.run)
	}
	for _, v := range g.volumes() {
		attachments.run(v.run)
	}
	for _, address := range g.config.Gateway.Listen.ISCSI {
		at := g.listeners.add(serviceISCSI, string(address))
		frontends.run(func(ctx context.Context) { g.listeners.run(ctx, at, g.server.Serve) })
	}
	g.serveNFS(frontends)
	for _, p := range g.pools {
		if p.flash != nil {
			management.run(p.flash.watch)
		}
	}
	if address := g.config.Gateway.Listen.API; address.On() {
		at := g.listeners.add(serviceAPI, string(address))
		management.run(func(ctx context.Context) { g.listeners.run(ctx, at, g.serveAPI) })
	}
	g.watch(ctx, controlPlaneFailed)
	err := g.end(frontends, attachments, filers)
	err = errors.Join(err, management.end("management"))
	if err != nil {
		return fmt.Errorf("the end is not in order: %w", err) // who goes on may use the memory: it stays to the process's end
	}
	return g.release()
}

// watch waits for ctx's end.
func (g *Gateway) watch(ctx context.Context, controlPlaneFailed <-chan error) {
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-controlPlaneFailed: // nothing of it is asked while a volume serves
			g.log.Error().Err(err).Msg("the control plane has failed; volumes go on, restart the gateway when it suits")
			controlPlaneFailed = nil
		}
	}
}

// end ends what touches volumes, from the top down: no new connections, commands under way are answered, what they wrote is flushed, the
// arrays are closed. An error says that some of it goes on.
func (g *Gateway) end(frontends, attachments, filers *tasks) error {
	g.log.Info().Msg("ending: no new connections; a second signal ends at once")
	answer, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	frontends.run(func(context.Context) { g.server.Shutdown(answer) })
	frontends.run(func(context.Context) { g.nfs.shutdown(answer) })
	commands := frontends.end("commands")
	volumes := g.closeVolumes()
	return errors.Join(commands, volumes, attachments.end("arrays"), filers.end("filers"))
}

// closeVolumes closes all at once, so that none takes the time of another.
func (g *Gateway) closeVolumes() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	list := g.volumes()
	closed := make(chan error, len(list))
	for _, v := range list {
		go func() { closed <- v.close(ctx) }()
	}
	var errs []error
	late := time.After(stepTimeout)
	for range list {
		select {
		case err := <-closed:
			errs = append(errs, err)
		case <-late:
			return errors.Join(append(errs, fmt.Errorf("volumes have not ended after %v", stepTimeout))...)
		}
	}
	return errors.Join(errs...)
}

// tasks are goroutines that end together.
type tasks struct {
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup
}

func newTasks() *tasks {
	t := &tasks{}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

func (t *tasks) run(f func(context.Context)) { t.all.Go(func() { f(t.ctx) }) }

// end stops them and waits.
func (t *tasks) end(what string) error {
	t.stop()
	ended := make(chan struct{})
	go func() {
		t.all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(stepTimeout):
		return fmt.Errorf("%s have not ended after %v", what, stepTimeout)
	}
}
