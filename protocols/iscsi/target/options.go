package target

import (
	"net"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
)

// Catalog says which targets there are. It is asked at every login and discovery, from many goroutines.
type Catalog interface {
	// Targets lists what an initiator may see, as SendTargets answers it. local is where it connected.
	Targets(initiator string, local net.Addr) []TargetInfo
	// Target finds a target by name.
	Target(name string) (*Target, bool)
}

// TargetInfo is one target of a discovery, with its portals as "host:port,tag".
type TargetInfo struct {
	Name    string
	Portals []string
}

// Target is what a session logs in to. It is not changed once it has been handed out.
type Target struct {
	Name    string
	Allowed func(initiator string) bool // nil: everybody
	CHAP    *iscsi.Credentials          // what an initiator proves; nil: nothing
	// LUNs returns the devices. It is called for every command, so it must be quick; the map is never changed, a new one
	// takes its place.
	LUNs func() map[uint64]scsi.Device
}

// Buffers is a bounded pool of memory for data-out. Get returns n bytes, or nil when the pool is exhausted.
type Buffers interface {
	Get(n int) []byte
	Put(p []byte)
}

// Observer is told of every SCSI command that is answered, before its response is queued: the bytes that it moved, and what it took
// since the arrival of its PDU. It may not keep c.
type Observer interface {
	Observe(d scsi.Device, c *scsi.Command, in, out int, took time.Duration, inline bool)
}

// Limits bound what clients can hold. Zero values mean the defaults.
type Limits struct {
	Sessions        int           // 256
	Unauthenticated int           // 32 connections that have not logged in yet, and as many discovery sessions, which prove nothing
	Login           time.Duration // 15 s
	Memory          int           // 16 MiB of data per connection
	Commands        int           // 128 at a time per session
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	def(&l.Sessions, 256)
	def(&l.Unauthenticated, 32)
	def(&l.Memory, 16<<20)
	def(&l.Commands, 128)
	if l.Login <= 0 {
		l.Login = 15 * time.Second
	}
	// Half is for the first bursts of a full window, and the rest can bring one command its whole data.
	l.Memory = max(l.Memory, 2*scsi.MaxTransfer)
	l.Commands = min(l.Commands, l.Memory/2/firstBurst-maxImmediate)
	return l
}

// shared is the part of the memory that is not set aside for first bursts, in bytes.
func (l Limits) shared() int { return l.Memory - (l.Commands+maxImmediate)*firstBurst }

// Options are what a Server is made of.
type Options struct {
	Catalog  Catalog
	Buffers  Buffers
	Observer Observer // may be nil
	Limits   Limits
	Logger   zerolog.Logger
	Alias    string // TargetAlias; may be empty

	NopInterval   time.Duration // silence after which a NOP-In asks for a sign of life; 0: 20 s
	NopTimeout    time.Duration // silence after that which ends the connection; 0: 20 s
	LogoutTimeout time.Duration // what initiators get to log out at a shutdown; 0: 2 s
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, to time.Duration) {
		if *d <= 0 {
			*d = to
		}
	}
	def(&o.NopInterval, 20*time.Second)
	def(&o.NopTimeout, 20*time.Second)
	def(&o.LogoutTimeout, 2*time.Second)
	o.Limits = o.Limits.withDefaults()
	return o
}

// What we agree to at most.
const (
	maxRecvSegment = 256 << 10
	maxSendSegment = 1 << 20
	maxBurst       = 1 << 20
	firstBurst     = 64 << 10
	maxR2T         = 8

	maxImmediate  = 16 // immediate SCSI commands, and task management functions, at a time
	portalGroup   = 1
	loginSegment  = 8192 // bytes of a data segment before anything is negotiated (RFC 7143 13.12)
	lingerTimeout = time.Second
)

var negotiation = iscsi.Limits{MaxRecv: maxRecvSegment, MaxSend: maxSendSegment, MaxBurst: maxBurst, FirstBurst: firstBurst, MaxOutstandingR2T: maxR2T}
