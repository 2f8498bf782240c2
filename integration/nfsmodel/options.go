package nfsmodel

import (
	"context"
	"fmt"
	"net"
	"time"

	"forebay/protocols/nfs"
)

// Options say what to check and how. Zero values mean the defaults given.
type Options struct {
	Address      string // of NFS, host:port
	MountAddress string // of MOUNT, host:port
	Export       string // the directory to mount
	Folder       string // made in it, and worked in; "model-SEED"
	Seed         uint64

	// Callers are the users of the clients, one client each. The first one must be allowed everything in the export's root. Two of root.
	Callers []nfs.Caller
	// Objects is about how many there are at a time; 60.
	Objects int
	// Operations is what the function Run asks in each of its phases; 1000.
	Operations int

	// AttributeCache is how long a client may be told old attributes after a change behind the server's back; 0.
	AttributeCache time.Duration
	// TimesAdvance: mtime and ctime may grow, and atime change, without an operation, as behind a cache that writes later. Never backwards.
	TimesAdvance bool
	// RemovedStaysOpen: handles of what was removed may go on working, as they do while a server has it open. What they show must still be
	// right.
	RemovedStaysOpen bool
	// Tails: a word without a meaning may follow the result of a READDIRPLUS, as nfs-ganesha's 4.3 does when a page is full.
	Tails bool
	// SmallestCount is the least count of a READDIR or READDIRPLUS; 300. nfs-ganesha 4.3 says that the listing ends where it has no room for an
	// entry, instead of NFS3ERR_TOOSMALL: with 1024 there always is.
	SmallestCount uint32
	// LooseListings: while a directory changes, its listings may repeat entries and leave some out, as those of Linux's tmpfs do when the entry
	// has gone that they would go on with, and end with NFS3ERR_NOENT, as nfs-ganesha's do when an entry goes while they look at it.
	LooseListings bool
	// RefusedCreateEmpties: an UNCHECKED CREATE with size 0 that is refused for want of permission empties the file all the same, as
	// nfs-ganesha's 4.3 does. It isn't asked.
	RefusedCreateEmpties bool
	// SlashesResolved: a name with a slash is taken as a path, as by nfs-ganesha 4.3. It isn't asked for.
	SlashesResolved bool

	// Patience is how long a call is made again before the server counts as dead; 2 min. CallTimeout is what one call gets; 10 s.
	Patience, CallTimeout time.Duration
	// Straggle is how long after a lost connection its calls may still be executed; 250 ms.
	Straggle time.Duration

	// Disturb is called by Run after every DisturbEvery steps: it may cut connections and restart servers, before or after it returns.
	Disturb      func()
	DisturbEvery int

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: a net.Dialer
	Logf func(format string, args ...any)                                     // told of what isn't wrong but worth a word; nil: nobody
}

func (o Options) withDefaults() Options {
	if o.Folder == "" {
		o.Folder = fmt.Sprintf("model-%d", o.Seed)
	}
	if len(o.Callers) == 0 {
		o.Callers = make([]nfs.Caller, 2)
	}
	if o.Objects == 0 {
		o.Objects = 60
	}
	if o.Operations == 0 {
		o.Operations = 1000
	}
	if o.Patience == 0 {
		o.Patience = 2 * time.Minute
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = 10 * time.Second
	}
	if o.Straggle == 0 {
		o.Straggle = 250 * time.Millisecond
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	return o
}
