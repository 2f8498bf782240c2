package iscsi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

// Options of Open. Zero values mean the defaults given.
type Options struct {
	Portals       []string // host:port
	Target        string
	LUN           uint16
	InitiatorName string // the gateway's: what another gateway has must differ
	CHAP          iscsi.Credentials
	Digests       bool   // CRC32C over headers and data; false: none
	Reserve       bool   // hold a persistent reservation (PROTOCOL D7), with Key
	Key           uint64 // of the first path; those behind it follow. The upper half names the gateway, the lower its boot (PROTOCOL D3)
	BlockSize     int    // what the volume serves, in bytes: a multiple of the array's logical block
	Expected      string // the identity that was stored at the first attachment; empty at the first

	// Watch hears of what happens after Open, one event at a time. It may call the Array, Close excepted, but not wait for it.
	Watch func(Event)
	Log   zerolog.Logger

	Patience time.Duration // how long calls wait for a recovery; 5 s
	Started  time.Time     // of this process: what an earlier one has sent is older; now
	Drain    time.Duration // how long a change may be on its way over a portal that is gone, where the array can't fence it; 30 s
	Retain   int64         // bytes of what is answered and not flushed, at least 4 MiB; 64 MiB

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: a net.Dialer
}

// Event tells of an array's coming and going.
type Event struct {
	Available bool
	Reason    string // why it is not available
	Unproven  bool   // what is cached is not known to be what the array has: others may have written, or may be writing while it is away
	Forsaken  bool   // what was answered and not flushed before may be gone; it is Unproven too
	Resized   bool   // Info has changed
}

const (
	defaultPatience = 5 * time.Second
	defaultDrain    = 30 * time.Second
	defaultRetain   = 64 << 20
	minRetain       = 4 * maxTransfer

	maxTransfer = 1 << 20 // bytes of one command
	maxFlights  = 128
	spareSlots  = 8 // of a session, for the keeper

	loginTimeout   = 5 * time.Second
	commandTimeout = 10 * time.Second
	nopInterval    = 5 * time.Second
	abortTimeout   = 5 * time.Second
	logoutTimeout  = time.Second
)

func (o Options) withDefaults() Options {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	if o.Drain <= 0 {
		o.Drain = defaultDrain
	}
	if o.Retain <= 0 {
		o.Retain = defaultRetain
	}
	o.Retain = max(o.Retain, minRetain)
	if o.Watch == nil {
		o.Watch = func(Event) {}
	}
	if o.InitiatorName == "" {
		o.InitiatorName = initiator.DefaultInitiator
	}
	return o
}

func (o Options) check() error {
	switch {
	case len(o.Portals) == 0 || o.Target == "":
		return errors.New("an iSCSI array needs a portal and a target")
	case o.BlockSize != 512 && o.BlockSize != 4096:
		return fmt.Errorf("%s: a logical block of %d bytes: 512 or 4096", o.Target, o.BlockSize)
	case o.Reserve && o.Key == 0:
		return fmt.Errorf("%s: a reservation needs a key", o.Target)
	}
	return nil
}

// session are the options of the sessions of one path.
func (o Options) session(path int) initiator.Options {
	digests := iscsi.DigestsNone
	if o.Digests {
		digests = iscsi.DigestsRequired
	}
	return initiator.Options{
		Portal: o.Portals[path], Target: o.Target, InitiatorName: o.InitiatorName, ISID: o.isid(path), CHAP: o.CHAP,
		Limits: iscsi.Limits{Digests: digests}, Commands: maxFlights + spareSlots, LoginTimeout: loginTimeout, CommandTimeout: commandTimeout,
		NopInterval: nopInterval, LogoutTimeout: logoutTimeout, AbortTimeout: abortTimeout, Dial: o.dial,
	}
}

// dial connects. A connection that is given up takes what has not been sent with it: a kernel that went on delivering it, to an array that did
// not hear of the end, could have it executed after the LOGICAL UNIT RESET of another path (PROTOCOL D2).
func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if lingering, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = lingering.SetLinger(0) // fails on what is closed already
	}
	return c, nil
}

// isid is the same for ever, so that a login reinstates the session that the last one left, across restarts of the gateway too; and another
// for each path and LUN, as they have sessions of their own.
func (o Options) isid(path int) [6]byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", o.InitiatorName, o.Target, o.LUN, path))
	isid := [6]byte{0x80} // T=10b: none of the registered formats (RFC 7143 11.12.5)
	copy(isid[1:], sum[:])
	return isid
}
