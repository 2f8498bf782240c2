package relay

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

// All faults at a time, over connections that come and go: nothing hangs, and nothing is left (start looks).
func TestAStormOfFaultsLeavesNothingBehind(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true, Buffer: 128 << 10})
	var all sync.WaitGroup
	all.Go(func() { echo(&all, s.listener) })
	over := make(chan struct{})
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for open := true; open; {
				talk(r.Addr())
				select {
				case <-over:
					open = false
				default:
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 200 {
		<-tick.C
		fault(r, random)
	}
	close(over)
	r.Close()
	clients.Wait()
	s.listener.Close()
	all.Wait()
}

// fault does one of the faults.
func fault(r *Relay, random *rand.Rand) {
	d := Direction(1 + random.IntN(3))
	switch random.IntN(7) {
	case 0:
		r.Cut(Ending(random.IntN(2)))
	case 1:
		r.BlackHole(d, true)
	case 2, 3:
		r.BlackHole(Both, false)
	case 4:
		r.Refuse(random.IntN(3) == 0)
	case 5:
		r.Delay(d, time.Duration(random.IntN(3))*time.Millisecond)
	case 6:
		h := r.Hold(WriteTo(random.Uint64N(4)))
		time.AfterFunc(5*time.Millisecond, h.Release)
	}
}

// talk is a client that sends writes and takes what comes until its connection ends, or for 100 ms.
func talk(address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = io.Copy(io.Discard, c) })
	for tag := uint32(0); err == nil; tag++ {
		_, err = c.Write(write(tag, uint64(tag%4), true, block))
	}
	reader.Wait()
}

// echo is a server that answers every PDU as it ends.
func echo(all *sync.WaitGroup, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer c.Close()
			f, to := framer{}, &answerer{c}
			for p := make([]byte, 32<<10); ; {
				n, err := c.Read(p)
				f.feed(p[:n], to)
				if err != nil {
					return
				}
			}
		})
	}
}

type answerer struct{ c net.Conn }

func (a *answerer) begin(h iscsi.Header) { _, _ = a.c.Write(response(h.InitiatorTag())) }
func (a *answerer) more([]byte)          {}
func (a *answerer) complete()            {}
