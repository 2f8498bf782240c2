package nfsmodel

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"forebay/protocols/nfs"
)

// cuts makes connections that break: before a call has left, or before its answer has come.
type cuts struct {
	mu     sync.Mutex
	random *rand.Rand
	seldom int // one of so many messages
	cut    int // so far
}

func (x *cuts) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	return &breaking{c, x}, err
}

func (x *cuts) now() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.random.IntN(x.seldom) > 0 {
		return false
	}
	x.cut++
	return true
}

type breaking struct {
	net.Conn
	x *cuts
}

func (c *breaking) Write(p []byte) (int, error) {
	if c.x.now() {
		c.Close()
		return 0, errors.New("cut")
	}
	return c.Conn.Write(p)
}

func (c *breaking) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.x.now() {
		c.Close()
		return 0, errors.New("cut")
	}
	return n, err
}

func TestCallsWithoutAnAnswerAreSettled(t *testing.T) {
	for i := range *seeds {
		o := serve(t, newLiar())
		o.Seed += uint64(i)
		x := &cuts{random: rand.New(rand.NewPCG(o.Seed, 0)), seldom: 150}
		o.Dial = x.dial
		o.Operations = *operations
		if err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if x.cut < 3 {
			t.Errorf("%d connections were cut", x.cut)
		}
	}
}

func TestServersMayLoseWhatWasUnstable(t *testing.T) {
	for i := range *seeds {
		l := newLiar()
		o := serve(t, l)
		o.Seed += uint64(i)
		o.DisturbEvery, o.Disturb = 61, l.Restart
		c := open(t, o)
		for _, run := range []func(context.Context, int) error{c.Run, c.RunConcurrent, c.Run} {
			if err := run(t.Context(), *operations); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(c.Commit(t.Context()), c.Verify(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServersMayLoseWhatWasUnstableUnderManyAtATime(t *testing.T) {
	l := newLiar()
	l.tell(func(c *call, truth func() error) error {
		if l.every(300) {
			l.Restart()
		}
		return truth()
	})
	c := open(t, serve(t, l))
	if err := c.RunConcurrent(t.Context(), 1500); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Commit(t.Context()), c.Verify(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// hush keeps a verifier that should have changed.
func hush(*liar) lie {
	return func(c *call, truth func() error) error {
		err := truth()
		switch r := c.result.(type) {
		case *nfs.WriteResult:
			r.Verifier = nfs.Verifier{7}
		case *nfs.CommitResult:
			r.Verifier = nfs.Verifier{7}
		}
		return err
	}
}

func TestALossThatIsNotToldIsFound(t *testing.T) {
	l := newLiar()
	l.tell(hush(l))
	o := serve(t, l)
	o.DisturbEvery, o.Disturb = 37, l.Restart
	err := open(t, o).Run(t.Context(), 3000)
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("%v, want a failure", err)
	}
	t.Log(f.Wrong)
}

func TestALossThatIsNotToldIsFoundAmongManyAtATime(t *testing.T) {
	l := newLiar()
	quiet := hush(l)
	l.tell(func(c *call, truth func() error) error {
		if l.every(300) {
			l.Restart()
		}
		return quiet(c, truth)
	})
	if err := open(t, serve(t, l)).RunConcurrent(t.Context(), 3000); err == nil {
		t.Fatal("nothing was found")
	} else {
		t.Log(err)
	}
}

func TestJukeboxIsAskedAgain(t *testing.T) {
	l := newLiar()
	l.tell(func(c *call, truth func() error) error {
		if l.every(20) {
			*nfs.StatusOf(c.result) = nfs.ErrJukebox
			return nil
		}
		return truth()
	})
	if err := open(t, serve(t, l)).Run(t.Context(), 200); err != nil {
		t.Fatal(err)
	}
}
