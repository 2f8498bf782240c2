package rpc

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/sock/socktest"
)

// letGo counts the messages whose memory is free.
type letGo struct{ n atomic.Int32 }

func (l *letGo) left() { l.n.Add(1) }

// offering is an outbox to which several add messages of 64 KiB, and a writer that sends what doesn't go at once.
type offering struct {
	*outbox
	owners  letGo
	kicked  chan struct{}
	writers sync.WaitGroup
}

func newOffering(near net.Conn) *offering {
	return &offering{outbox: newOutbox(near, time.Minute), kicked: make(chan struct{}, 1)}
}

const messageBytes = 64 << 10

// message has a number in its head and in all of its data.
func message(number uint32) (head []byte, data []byte) {
	head = binary.BigEndian.AppendUint32(nil, number)
	for range messageBytes / 4 {
		data = binary.BigEndian.AppendUint32(data, number)
	}
	return head, data
}

func (o *offering) send(number uint32) {
	head, data := message(number)
	o.add(head, [][]byte{data}, len(data), &o.owners)
	if !o.offer() {
		select {
		case o.kicked <- struct{}{}:
		default:
		}
	}
}

// What goes at once and what doesn't arrives whole, each once, and in order of each sender.
func TestWhatIsOfferedArrives(t *testing.T) {
	const senders, each = 4, 200
	near, far := socktest.Pair(t)
	o := newOffering(near)
	over := make(chan struct{})
	o.writers.Go(func() {
		for {
			select {
			case <-o.kicked:
				_ = o.flush()
			case <-over:
				return
			}
		}
	})
	for sender := range uint32(senders) {
		o.writers.Go(func() {
			for i := range uint32(each) {
				o.send(sender<<16 | i)
			}
		})
	}
	var next [senders]uint32
	p := make([]byte, 4+messageBytes)
	for range senders * each {
		if _, err := io.ReadFull(far, p); err != nil {
			t.Fatal(err)
		}
		number := binary.BigEndian.Uint32(p)
		if sender := number >> 16; number&0xffff != next[sender] {
			t.Fatalf("message %d of sender %d, where %d was expected", number&0xffff, sender, next[sender])
		}
		next[number>>16]++
		for at := 4; at < len(p); at += 4 {
			if n := binary.BigEndian.Uint32(p[at:]); n != number {
				t.Fatalf("message %x has %x at %d", number, n, at)
			}
		}
	}
	close(over)
	o.writers.Wait()
	if n := o.owners.n.Load(); n != senders*each {
		t.Fatalf("%d of %d messages are let go of", n, senders*each)
	}
}

// A peer that reads nothing isn't waited for by who offers, and when it is gone nothing is held.
func TestAnOfferNeverWaits(t *testing.T) {
	near, far := socktest.Pair(t)
	o := newOffering(near)
	sent := int32(0)
	for len(o.kicked) == 0 {
		o.send(uint32(sent))
		sent++
	}
	o.send(uint32(sent)) // behind what waits
	sent++
	if n := o.owners.n.Load(); n >= sent-1 {
		t.Fatalf("%d of %d messages are let go of, though the peer hasn't taken them", n, sent)
	}
	far.Close()
	near.Close()
	if o.drain() == nil {
		t.Error("what is lost was sent")
	}
	if n := o.owners.n.Load(); n != sent {
		t.Errorf("%d of %d messages are let go of", n, sent)
	}
}
