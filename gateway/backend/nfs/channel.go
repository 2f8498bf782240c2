package nfs

import (
	"fmt"
	"sync/atomic"
	"time"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

// channel is one connection to the filer, which is made again when it is lost.
type channel struct {
	*rpc.Client
	busy atomic.Int32 // calls under way
}

const (
	idleTimeout = 30 * time.Second
	maxRedial   = 20 * time.Millisecond
)

// connect makes the channels. They connect when there is something to say.
func (f *Filer) connect(port int) {
	for range f.opts.Connections {
		c := new(channel)
		c.Client = rpc.NewClient(rpc.ClientOptions{
			Address: f.opts.address(port), Program: wire.Program, Version: wire.Version, Record: maxTransfer + 64<<10, Buffers: &f.buffers,
			CallTimeout: f.opts.CallTimeout, DialTimeout: f.opts.Patience, RedialDelay: maxRedial, PingInterval: f.opts.Patience / 2,
			IdleTimeout: idleTimeout, Dial: f.opts.dial, Greeting: f.greeting(), Greeted: f.greeted})
		f.channels = append(f.channels, c)
	}
}

// pick returns the channel with the fewest calls under way, the first of them: while there is little to do, the same one has it all, and what it
// needs is in the processor's cache, here and at the filer.
func (f *Filer) pick() *channel {
	best := f.channels[0]
	for _, c := range f.channels[1:] {
		if c.busy.Load() < best.busy.Load() {
			best = c
		}
	}
	return best
}

// abandon ends all connections as if they had been lost.
func (f *Filer) abandon() {
	for _, c := range f.channels {
		c.Abandon()
	}
}

// silence is why nothing has come for so long.
func (f *Filer) silence() error {
	for _, c := range f.channels {
		if err := c.Stats().Failure; err != nil {
			return fmt.Errorf("%w for %v: %w", errSilent, f.opts.Patience, err)
		}
	}
	return fmt.Errorf("%w for %v", errSilent, f.opts.Patience)
}
