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
	busy  atomic.Int64 // what is under way, by request.weight
	moved atomic.Int64 // when something was answered last, or asked for while nothing was under way: ns since began
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

// began is when the process did.
var began = time.Now()

// pick has a call of some weight begin on the first channel that is not crowded, and on which calls are answered, or else on the one with the least under
// way. Calls that go together, and replies that come together, take one system call, one wake-up here and one at the filer; what is long would keep others
// waiting behind it.
func (f *Filer) pick(weight int64) *channel {
	f.picks.Lock()
	defer f.picks.Unlock()
	best, now := f.channels[0], time.Since(began)
	for _, c := range f.channels {
		busy := c.busy.Load()
		if busy == 0 || busy < crowd && now-time.Duration(c.moved.Load()) < stuck {
			best = c
			break
		}
		if busy < best.busy.Load() {
			best = c
		}
	}
	if best.busy.Add(weight) == weight {
		best.moved.Store(int64(now))
	}
	return best
}

const (
	crowd       = 32                     // short calls
	callOfBytes = 16 << 10               // count as another one
	stuck       = 100 * time.Millisecond // without an answer, while other channels have less to do
)

// end is the end of a call of some weight.
func (c *channel) end(weight int64, answered bool) {
	if answered {
		c.moved.Store(int64(time.Since(began)))
	}
	c.busy.Add(-weight)
}

// weight is how much a call keeps others waiting.
func (r *request) weight() int64 { return int64(1 + max(len(r.data), len(r.into))/callOfBytes) }

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
