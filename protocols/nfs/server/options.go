package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs"
)

// Options are what a Server is made of.
type Options struct {
	Exports []*Export // at first; see SetExports
	Key     [32]byte  // the cluster's: handles are authenticated with what is derived from it
	KeyID   byte      // stands in handles: other ones are NFS3ERR_BADHANDLE
	// LongHandles keeps what a client can't be told. nil: file systems whose handles have more than 52 bytes can't be served.
	LongHandles LongHandles
	Requests    Requests // nil: a call whose answer was lost with the process is executed again
	Observer    Observer // may be nil
	Logger      zerolog.Logger
	Now         func() time.Time // nil: time.Now
}

// MaxTransfer is how many bytes a READ or WRITE carries at most, and a READDIR or READDIRPLUS: what fits into a record of rpc.
const MaxTransfer = 1 << 20

// Server is NFS version 3 as an rpc.Program, and what its exports are to MOUNT. Many goroutines use it.
type Server struct {
	exports    atomic.Pointer[table]
	seal       seal
	long       *longHandles
	duplicates *duplicates
	kept       Requests
	observer   Observer
	complaints complaints
	now        func() time.Time
	requests   sync.Pool // of *request
}

// New returns a server. It fails as SetExports does.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Requests == nil {
		o.Requests = noRequests{}
	}
	s := &Server{seal: newSeal(o.Key, o.KeyID), long: newLongHandles(o.LongHandles), duplicates: newDuplicates(o.Now), kept: o.Requests,
		observer: o.Observer, complaints: complaints{log: o.Logger, now: o.Now}, now: o.Now}
	s.requests.New = func() any { return &request{s: s} }
	s.duplicates.restore(o.Requests.Earlier())
	return s, s.SetExports(o.Exports)
}

// SetExports says what is served from now on. Handles of exports that are no longer there are NFS3ERR_STALE. It fails, and changes
// nothing, if two exports have the same id or path, or a path is not clean and absolute.
func (s *Server) SetExports(list []*Export) error {
	t, err := newTable(list)
	if err == nil {
		s.exports.Store(t)
	}
	return err
}

// Number is that of the RPC program.
func (s *Server) Number() uint32 { return nfs.Program }

// Versions are version 3 alone.
func (s *Server) Versions() (low, high uint32) { return nfs.Version, nfs.Version }
