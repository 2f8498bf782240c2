package bench

import (
	"errors"
	"fmt"
	"io"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/nfs"
)

// Endpoint is one target to drive.
type Endpoint struct {
	URL  string            // iscsi://[user[%secret]@]host[:port]/target/lun or nfs://host[:port]/export/path/to/file[?arguments]
	CHAP iscsi.Credentials // fills in what the URL leaves out
	PID  int               // the serving process, on this machine; 0: unknown, no CPU figures
}

// Options of one run. withDefaults says what zero values mean.
type Options struct {
	Target Endpoint
	Versus *Endpoint // alternate with this one

	Random     bool
	Read       int // percent of the commands that are reads; the rest writes
	BlockSize  int // bytes; 0: 4 KiB, or a mixture of sizes when verifying
	Depth      int // commands outstanding per session
	Sessions   int
	WorkingSet int64   // bytes, from Offset on; 0: to the end of the LUN or file (verifying: 1 GiB of that at most)
	Offset     int64   // bytes
	Zipf       float64 // exponent > 1: some blocks are asked for more often than others; 0: all alike
	Duration   time.Duration
	Rounds     int        // of slices of each target, with Versus
	WarmUp     bool       // read the working set once, first
	Digests    bool       // iSCSI
	Stable     nfs.Stable // NFS: what a WRITE asks for
	Create     bool       // NFS: make the file, or make it larger, as the working set needs it
	Seed       uint64     // 0: a random one

	Verify    bool
	Shared    bool // verifying sessions overlap; else each has its own part of the working set
	Reconnect bool // log in again when a connection is lost

	CommandTimeout time.Duration // the target is given up after this long without an answer

	Progress io.Writer // gets a line each second; nil: nobody does
}

const (
	maxDepth          = 1024
	maxSessions       = 256
	maxBlock          = 1 << 20
	verifyWorkingSet  = 1 << 30
	maxVerifySet      = 32 << 30 // the checker keeps 9 bytes per sector
	reconnectPatience = 60 * time.Second
)

func (o Options) withDefaults() Options {
	number := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	number(&o.Depth, 32)
	number(&o.Sessions, 1)
	number(&o.Rounds, 5)
	if o.BlockSize == 0 && !o.Verify {
		o.BlockSize = 4 << 10
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = 30 * time.Second
	}
	if o.Seed == 0 {
		o.Seed = randomSeed()
	}
	return o
}

// validate tells what is wrong with options, all of it.
func (o Options) validate() error {
	var problems []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	refuse(o.Read < 0 || o.Read > 100, "read is a percentage: %d", o.Read)
	refuse(o.Depth < 1 || o.Depth > maxDepth, "depth must be 1 to %d: %d", maxDepth, o.Depth)
	refuse(o.Sessions < 1 || o.Sessions > maxSessions, "sessions must be 1 to %d: %d", maxSessions, o.Sessions)
	refuse(o.BlockSize < 0 || o.BlockSize > maxBlock || o.BlockSize%sectorSize != 0, "block-size must be a multiple of %d, at most 1MiB: %d", sectorSize, o.BlockSize)
	refuse(o.WorkingSet < 0 || o.WorkingSet%sectorSize != 0, "working-set must be a multiple of %d: %d", sectorSize, o.WorkingSet)
	refuse(o.Offset < 0 || o.Offset%sectorSize != 0, "offset must be a multiple of %d: %d", sectorSize, o.Offset)
	refuse(o.Zipf != 0 && !(o.Zipf > 1 && o.Zipf < 100), "zipf must be greater than 1: %g", o.Zipf)
	refuse(o.Zipf != 0 && !o.Random, "zipf goes with mode rand")
	refuse(o.Zipf != 0 && o.Verify, "zipf does not go with verify")
	refuse(o.Duration < 0, "duration must be positive: %s", o.Duration)
	refuse(o.Rounds < 1, "rounds must be positive: %d", o.Rounds)
	refuse(o.Verify && o.Versus != nil, "verify does not go with vs")
	refuse(o.Verify && o.WarmUp, "verify fills the working set anyway: leave warm-up out")
	refuse(o.Shared && !o.Verify, "shared goes with verify")
	refuse(o.Digests && !o.uses(false), "digests go with iSCSI")
	refuse(o.Stable != nfs.Unstable && !o.uses(true), "stable goes with NFS")
	refuse(o.Create && !o.uses(true), "create goes with NFS")
	refuse(o.Create && o.WorkingSet == 0, "create needs a working-set")
	return errors.Join(problems...)
}

// uses says whether one of the targets is NFS, or one is iSCSI.
func (o Options) uses(nfs bool) bool {
	return isNFS(o.Target.URL) == nfs || o.Versus != nil && isNFS(o.Versus.URL) == nfs
}

// initiatorOptions are how to log in to an endpoint.
func (o Options) initiatorOptions(e Endpoint) (initiator.URL, initiator.Options, error) {
	u, err := initiator.ParseURL(e.URL)
	if err != nil {
		return u, initiator.Options{}, err
	}
	fill := func(v *string, from string) {
		if *v == "" {
			*v = from
		}
	}
	fill(&u.CHAP.User, e.CHAP.User)
	fill(&u.CHAP.Secret, e.CHAP.Secret)
	fill(&u.CHAP.MutualUser, e.CHAP.MutualUser)
	fill(&u.CHAP.MutualSecret, e.CHAP.MutualSecret)
	digests := iscsi.DigestsNone
	if o.Digests {
		digests = iscsi.DigestsRequired
	}
	return u, initiator.Options{Portal: u.Portal, Target: u.Target, CHAP: u.CHAP, Limits: iscsi.Limits{Digests: digests},
		Commands: max(o.Depth, 32), CommandTimeout: o.CommandTimeout}, nil
}
