package initiator

import (
	"context"
	"crypto/rand"
	"net"
	"time"

	"forebay/protocols/iscsi"
)

// Options say where to log in and as whom. Zero values mean the defaults given.
type Options struct {
	Portal        string            // host:port
	Target        string            // the target's iSCSI name; not used for discovery
	InitiatorName string            // "iqn.2026-11.io.forebay:initiator"
	ISID          [6]byte           // zero: a random one
	CHAP          iscsi.Credentials // no User: none
	Limits        iscsi.Limits      // what to offer

	Commands       int           // outstanding at most, sent or queued; 256, at most 4096
	LoginTimeout   time.Duration // 15 s, with redirections
	CommandTimeout time.Duration // a command that is not complete for this long, or a tenth more, ends the session; 0: never
	NopInterval    time.Duration // silence after which we ask for a sign of life, which must come as soon; 10 s
	LogoutTimeout  time.Duration // what commands under way and the logout get when a session ends; 5 s
	AbortTimeout   time.Duration // a task management request without an answer for this long ends the session; 10 s

	// Attention hears of the unit attentions that Capacity, Inquiry and the like met, before they asked again; it may be called from
	// several goroutines at a time. nil: nobody. Those of commands given to Submit and Do are in their status.
	Attention func(lun uint16, e *StatusError)

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: a net.Dialer
}

// DefaultInitiator is the name that we log in with when none is given.
const DefaultInitiator = "iqn.2026-11.io.forebay:initiator"

const (
	defaultRecv  = 256 << 10
	maxSend      = 1 << 20
	maxBurst     = 1 << 20
	firstBurst   = 256 << 10
	maxR2T       = 8
	maxCommands  = 4096
	redirections = 4
)

func (o Options) withDefaults() Options {
	number := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	span := func(v *time.Duration, to time.Duration) {
		if *v <= 0 {
			*v = to
		}
	}
	number(&o.Limits.MaxRecv, defaultRecv)
	number(&o.Limits.MaxSend, maxSend)
	number(&o.Limits.MaxBurst, maxBurst)
	number(&o.Limits.FirstBurst, firstBurst)
	o.Limits.FirstBurst = min(o.Limits.FirstBurst, o.Limits.MaxBurst) // RFC 7143 13.14
	number(&o.Limits.MaxOutstandingR2T, maxR2T)
	number(&o.Commands, 256)
	o.Commands = min(o.Commands, maxCommands)
	span(&o.LoginTimeout, 15*time.Second)
	span(&o.NopInterval, 10*time.Second)
	span(&o.LogoutTimeout, 5*time.Second)
	span(&o.AbortTimeout, 10*time.Second)
	if o.InitiatorName == "" {
		o.InitiatorName = DefaultInitiator
	}
	if o.ISID == [6]byte{} {
		_, _ = rand.Read(o.ISID[1:]) // never fails
		o.ISID[0] = 0x80             // T=10b, random (RFC 7143 11.12.5)
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}
