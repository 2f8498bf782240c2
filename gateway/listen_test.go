package gateway

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// until is a serve that lasts as long as ctx.
func until(ctx context.Context, l net.Listener) error {
	<-ctx.Done()
	return l.Close()
}

func TestAnAddressThatIsTakenIsToldOnceAndServedWhenItIsFree(t *testing.T) {
	taken, log := listen(t, "127.0.0.1:0"), newLines(t)
	address := taken.Addr().String()
	l := newListeners(log.logger())
	at := l.add("iscsi", address)
	if got := l.troubles(); !slices.Equal(got, []string{"iscsi " + address + ": not listened on yet"}) {
		t.Errorf("%q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, at, until) })
	log.wait("can't listen", `"listener":"iscsi"`, address, "address already in use")
	if got := l.troubles(); len(got) != 1 || len(l.of("iscsi")) != 0 {
		t.Errorf("%q, %q", got, l.of("iscsi"))
	}
	taken.Close()
	log.wait("listening", address)
	if got := l.of("iscsi"); !slices.Equal(got, []string{address}) || len(l.troubles()) != 0 || len(l.of("api")) != 0 {
		t.Errorf("%q, %q", got, l.troubles())
	}
	log.expect(1, "can't listen")
	cancel()
	running.Wait()
	if got := l.troubles(); !slices.Equal(got, []string{"iscsi " + address + ": no longer listened on"}) || len(l.of("iscsi")) != 0 {
		t.Errorf("%q, %q", got, l.of("iscsi"))
	}
	listen(t, address).Close()
}

func TestTheSameTroubleIsNewsAgainOnceItWasOver(t *testing.T) {
	l := newListeners(newLines(t).logger())
	at := l.add("api", "127.0.0.1:1")
	for i, want := range []bool{true, false, false} {
		if news := l.down(at, "taken"); news != want {
			t.Errorf("attempt %d: news is %v", i, news)
		}
	}
	if !l.down(at, "not permitted") {
		t.Error("another trouble is no news")
	}
	l.up(at, "127.0.0.1:1")
	if !l.down(at, "not permitted") {
		t.Error("trouble after it was over is no news")
	}
}

func TestAListenerThatFailsIsListenedOnAgain(t *testing.T) {
	log := newLines(t)
	l := newListeners(log.logger())
	at := l.add("iscsi", "127.0.0.1:0")
	served := 0
	l.run(t.Context(), at, func(_ context.Context, listener net.Listener) error {
		listener.Close()
		if served++; served == 1 {
			return errBoom
		}
		return nil // no longer to be served
	})
	if served != 2 {
		t.Errorf("served %d times", served)
	}
	log.expect(1, "can't listen", "boom")
}
