package rpc

import (
	"context"
	"forebay/protocols/sock/socktest"
	"testing"
	"testing/synctest"
	"time"
)

func TestAShutdownAnswersWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		c := r.raw()
		defer c.Close()
		c.send(callRecord(1, procSlow, args("late")))
		<-r.echo.entered
		over := make(chan struct{})
		go func() {
			defer close(over)
			r.shutdown(context.Background())
		}()
		synctest.Wait()
		if _, err := r.dial(context.Background(), "tcp", r.address); err == nil {
			t.Error("it still listens")
		}
		r.echo.open <- struct{}{}
		if _, results, verdict := c.reply(); string(results) != "late" || verdict != nil {
			t.Errorf("%q, %v", results, verdict)
		}
		if !c.closed() {
			t.Error("the connection is open")
		}
		<-over
	})
}

func TestAShutdownThatMayNotWaitCancelsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		c := r.raw()
		defer c.Close()
		c.send(callRecord(1, procSlow, nil))
		<-r.echo.entered
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begun := time.Now()
		r.shutdown(ctx)
		if took := time.Since(begun); took != time.Minute || len(r.echo.ended) != 1 {
			t.Errorf("it took %v, %d calls were cancelled", took, len(r.echo.ended))
		}
		if !c.closed() {
			t.Error("the connection is open")
		}
	})
}

// A client that goes away doesn't end its calls: it may come back and ask again.
func TestALostConnectionDoesNotCancelItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, socktest.NewPipeListener())
		defer r.end()
		c := r.raw()
		c.send(callRecord(1, procSlow, nil))
		<-r.echo.entered
		c.Close()
		synctest.Wait()
		if len(r.server.Conns()) != 1 || len(r.echo.ended) != 0 {
			t.Errorf("%d connections, %d calls cancelled", len(r.server.Conns()), len(r.echo.ended))
		}
		r.echo.open <- struct{}{}
		synctest.Wait()
		if len(r.server.Conns()) != 0 {
			t.Error("the connection is left")
		}
	})
}

func TestServeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		s := NewServer(ServerOptions{})
		served := make(chan error)
		go func() { served <- s.Serve(ctx, socktest.NewPipeListener()) }()
		synctest.Wait()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		s.Shutdown(ctx)
		s.Shutdown(ctx)
		if err := s.Serve(context.Background(), socktest.NewPipeListener()); err != nil {
			t.Error("after the shutdown:", err)
		}
	})
}
