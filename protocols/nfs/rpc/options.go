package rpc

import (
	"time"

	"github.com/rs/zerolog"
)

// Limits bound what clients can hold. Zero values mean the defaults.
type Limits struct {
	Connections int // 256
	Calls       int // 64 at a time per connection, beside those that are answered at once
	Record      int // 1 MiB and 64 KiB: bytes of a call
	Memory      int // 16 MiB per connection, of the records that calls under way hold; at least two
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	def(&l.Connections, 256)
	def(&l.Calls, 64)
	def(&l.Record, maxRecord)
	def(&l.Memory, 16<<20)
	l.Record = max(l.Record, shortMax)
	l.Memory = max(l.Memory, 2*l.Record)
	return l
}

const maxRecord = 1<<20 + 64<<10

// ServerOptions are what a Server is made of.
type ServerOptions struct {
	Programs []Program
	Buffers  Buffers // of long records; nil: the heap
	Limits   Limits
	Logger   zerolog.Logger

	IdleTimeout  time.Duration // a connection without a call for so long is closed; 0: 10 min
	StallTimeout time.Duration // a peer that takes no byte of its replies, or stops in a record, for so long is dropped; 0: 30 s
}

func (o ServerOptions) withDefaults() ServerOptions {
	def := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	def(&o.IdleTimeout, 10*time.Minute)
	def(&o.StallTimeout, 30*time.Second)
	o.Limits = o.Limits.withDefaults()
	if o.Buffers == nil {
		o.Buffers = heap{}
	}
	return o
}
