package nfs

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Options of Open. Zero values mean the defaults given.
type Options struct {
	Server    string // host name or address
	Export    string // what is mounted
	Port      int    // of NFS; 0: the server's port mapper knows
	MountPort int    // of MOUNT, likewise

	Connections int    // 4
	Expected    string // the identity that was stored at the first attachment; empty at the first

	// Watch hears of what happens after Open, one event at a time. It may call the Filer, Close excepted, but not wait for it.
	Watch func(Event)
	Log   zerolog.Logger

	CallTimeout time.Duration // how long one call may take while the filer gives signs of life; 60 s
	Patience    time.Duration // how long calls wait for a sign of life; 5 s
	Drain       time.Duration // how long a change may be on its way over a connection that is gone (PROTOCOL D2); 5 s

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: TCP, from a port that only root has, if we are root
}

// Event tells of a filer's coming and going.
type Event struct {
	Available bool
	Reason    string // why it is not available
	// VerifierChanged: the filer has another write verifier than before: what it answered UNSTABLE and has not committed may be gone. It is
	// told before the reply that shows it is returned.
	VerifierChanged bool
}

const (
	defaultConnections = 4
	defaultCallTimeout = time.Minute
	defaultPatience    = 5 * time.Second
	defaultDrain       = 5 * time.Second

	maxTransfer = 1 << 20 // bytes of one READ or WRITE, or of a listing
)

func (o Options) withDefaults() Options {
	span := func(v *time.Duration, to time.Duration) {
		if *v <= 0 {
			*v = to
		}
	}
	span(&o.CallTimeout, defaultCallTimeout)
	span(&o.Patience, defaultPatience)
	span(&o.Drain, defaultDrain)
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Watch == nil {
		o.Watch = func(Event) {}
	}
	if o.Dial == nil {
		o.Dial = dialReserved
	}
	return o
}

func (o Options) check() error {
	if o.Server == "" || o.Export == "" {
		return errors.New("a filer needs a server and an export")
	}
	return nil
}

func (o Options) address(port int) string { return net.JoinHostPort(o.Server, strconv.Itoa(port)) }

// dial connects. A connection that is given up ends with a RST and takes what has not been sent with it: a kernel that went on delivering it
// could have it executed long after the call was sent again (PROTOCOL D2).
func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if lingering, ok := c.(interface{ SetLinger(seconds int) error }); ok {
		_ = lingering.SetLinger(0) // fails on what is closed already
	}
	return c, nil
}

// machineName is what AUTH_SYS tells the filer about us.
func machineName() []byte {
	name, err := os.Hostname()
	if err != nil {
		name = "forebay"
	}
	return []byte(name)
}
