package mount

import (
	"context"
	"errors"
	"net/netip"
	"path"
	"slices"
	"sync"

	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// Exporter is what a Server mounts. Many goroutines use it.
type Exporter interface {
	// Exports lists what can be mounted, without waiting.
	Exports() []Export
	// Mount returns the handle of a directory, of at most 64 bytes, and the flavors that it may be used with. p is clean (path.Clean), and
	// what the client says. An error is a Status; any other one is MNT3ERR_SERVERFAULT.
	Mount(ctx context.Context, client netip.AddrPort, p string) (handle []byte, flavors []rpc.Flavor, err error)
}

// maxMounted bounds the list of who has mounted what. It is a hint for operators, as clients that vanish stay in it.
const maxMounted = 1024

// Server is MOUNT as an rpc.Program.
type Server struct {
	exporter Exporter
	mu       struct {
		sync.Mutex
		mounted MountedList // the oldest first
	}
}

// NewServer returns a server of what e exports.
func NewServer(e Exporter) *Server { return &Server{exporter: e} }

func (s *Server) Number() uint32               { return Program }
func (s *Server) Versions() (low, high uint32) { return LowVersion, Version }

// Inline answers everything but MNT, which may have to ask an array.
func (s *Server) Inline(c *rpc.Call) bool {
	switch c.Procedure {
	case ProcMnt:
		return false
	case ProcDump:
		list := s.Mounted()
		list.Encode(&c.Results)
	case ProcUmnt:
		s.umnt(c)
	case ProcUmntAll:
		s.forget(func(m Mounted) bool { return m.Host == host(c) })
	case ProcExport:
		list := ExportList(s.exporter.Exports())
		list.Encode(&c.Results)
	default:
		c.Fail(rpc.ProcUnavail)
	}
	return true
}

// Serve answers a call.
func (s *Server) Serve(ctx context.Context, c *rpc.Call) {
	if s.Inline(c) {
		return
	}
	r, err := s.mnt(ctx, c)
	switch {
	case err != nil:
		c.Fail(rpc.GarbageArgs)
	case c.Version < Version:
		r.old().Encode(&c.Results)
	default:
		r.Encode(&c.Results)
	}
}

// mnt mounts; an error is one of the arguments.
func (s *Server) mnt(ctx context.Context, c *rpc.Call) (*MntResult, error) {
	p, err := argument(c)
	if errors.Is(err, ErrNameTooLong) {
		return &MntResult{Status: ErrNameTooLong}, nil
	} else if err != nil {
		return nil, err
	}
	handle, flavors, err := s.exporter.Mount(ctx, c.Remote, p)
	if err == nil {
		s.remember(Mounted{host(c), p})
		return &MntResult{Handle: handle, Flavors: flavors}, nil
	}
	status := ErrServerFault
	errors.As(err, &status)
	return &MntResult{Status: status}, nil
}

func (s *Server) umnt(c *rpc.Call) {
	p, err := argument(c)
	if err != nil {
		c.Fail(rpc.GarbageArgs)
		return
	}
	s.forget(func(m Mounted) bool { return m == Mounted{host(c), p} })
}

// argument is the path that a call has.
func argument(c *rpc.Call) (string, error) {
	d := xdr.NewDecoder(c.Args)
	var p Path
	p.Decode(&d)
	return path.Clean(string(p)), d.Err()
}

func host(c *rpc.Call) string { return c.Remote.Addr().String() }

// Mounted lists who has mounted what.
func (s *Server) Mounted() MountedList {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mu.mounted)
}

func (s *Server) remember(m Mounted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.mu.mounted, m) {
		return
	}
	if len(s.mu.mounted) == maxMounted {
		s.mu.mounted = slices.Delete(s.mu.mounted, 0, 1)
	}
	s.mu.mounted = append(s.mu.mounted, m)
}

func (s *Server) forget(which func(Mounted) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.mounted = slices.DeleteFunc(s.mu.mounted, which)
}
