package relay

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

const probeLength = 48 // bytes: PDUs, all zeros

// latencies sends probes one after the other and returns what each took one way, in order of length.
func latencies(t *testing.T, from, to net.Conn, n int) []time.Duration {
	t.Helper()
	probe, all := make([]byte, probeLength), make([]time.Duration, n)
	for i := range all {
		sent := time.Now()
		send(t, from, probe)
		expect(t, to, probe)
		all[i] = time.Since(sent)
	}
	slices.Sort(all)
	return all
}

func TestDelayIsAccurate(t *testing.T) {
	const probes, delay = 200, 2500 * time.Microsecond
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true})
	client, serving := pair(t, r, s)
	for _, way := range []struct {
		name     string
		d        Direction
		from, to net.Conn
	}{{"to the server", ToServer, client, serving}, {"to the client", ToClient, serving, client}} {
		plain := latencies(t, way.from, way.to, probes)
		r.Delay(way.d, delay)
		delayed := latencies(t, way.from, way.to, probes)
		r.Delay(way.d, 0)
		t.Logf("%s: %v without delay; with %v: %v, %v, %v (least, median, 90 %%)", way.name, plain[probes/2], delay,
			delayed[0], delayed[probes/2], delayed[probes*9/10])
		if delayed[0] < delay-wakeup {
			t.Errorf("%s: bytes came after %v, before they were due", way.name, delayed[0])
		}
		// A busy machine makes late; so the fastest tenth says what the relay does.
		if late := delayed[probes/10] - delay - plain[probes/10]; late > 100*time.Microsecond {
			t.Errorf("%s: bytes came %v later than with the delay alone", way.name, late)
		}
	}
}

// Many commands under way at a time see the delay each, and not one after the other.
func TestDelayDoesNotLimitThroughputAtDepth(t *testing.T) {
	const depth, delay = 128, 2500 * time.Microsecond
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true})
	client, serving := pair(t, r, s)
	r.Delay(ToClient, delay)
	go func() { _, _ = io.Copy(serving, serving) }()
	began := time.Now()
	for range depth {
		send(t, client, make([]byte, probeLength))
	}
	// As many as have come back go out again, until each has been round that often.
	const rounds = 200
	if _, err := io.CopyN(client, client, (rounds-1)*depth*probeLength); err != nil {
		t.Fatal(err)
	}
	expect(t, client, make([]byte, depth*probeLength))
	rate := rounds * depth / time.Since(began).Seconds()
	t.Logf("%.0f round trips a second; the delay allows %.0f", rate, depth/delay.Seconds())
	if rate < depth/delay.Seconds()/8 { // the rest is for a busy machine
		t.Errorf("%d round trips at a time make %.0f a second, one at a time %.0f", depth, rate, 1/delay.Seconds())
	}
}

func TestDelayDoesNotLimitTheBandwidthOfAStream(t *testing.T) {
	const delay, amount = 20 * time.Millisecond, 32 << 20
	s := listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	r.Delay(ToServer, delay)
	began := time.Now()
	var sender sync.WaitGroup
	sender.Go(func() { send(t, client, make([]byte, amount)) })
	if _, err := io.CopyN(io.Discard, serving, amount); err != nil {
		t.Fatal(err)
	}
	delayed := time.Since(began)
	sender.Wait()
	t.Logf("%.0f MB/s with a delay of %v", amount/1e6/delayed.Seconds(), delay)
	if limited := amount / (128 << 10) * delay; delayed > limited { // far off, for a busy machine
		t.Errorf("%d MiB took %v: with 128 KiB under way it would be %v", amount>>20, delayed, limited)
	}
}

func TestADelayKeepsAWholeBufferUnderWay(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{Buffer: 8 << 20})
	client, serving := pair(t, r, s)
	r.Delay(Both, time.Hour)
	send(t, client, make([]byte, 8<<20))
	send(t, serving, make([]byte, 8<<20))
}

func TestAShorterDelayKeepsTheOrder(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{})
	client, serving := pair(t, r, s)
	var numbers sync.WaitGroup
	numbers.Go(func() {
		for i := range uint32(2000) {
			r.Delay(ToServer, time.Duration(i%7)*300*time.Microsecond)
			send(t, client, binary.BigEndian.AppendUint32(nil, i))
		}
	})
	for i := range uint32(2000) {
		expect(t, serving, binary.BigEndian.AppendUint32(nil, i))
	}
	numbers.Wait()
}
