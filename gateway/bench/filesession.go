package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// lateWrite is how long a write may still land of which a copy was sent on a connection that has been lost since.
const lateWrite = time.Second

// fileSession leads to a file by two ways, of which a run uses one at a time. Calls that are waited for go through an rpc.Client, which
// sends them again after a lost connection; the load goes through a pipe.
type fileSession struct {
	file   *file
	caller *caller

	mu       sync.Mutex // held while connecting again
	pipe     *pipe      // nil: there is no load
	renewed  int        // pipes after the first one
	commands int        // that there are
}

func newFileSession(f *file) *fileSession {
	return &fileSession{file: f, caller: newCaller(f.opts, f.url.at(f.url.port), nfs.Program, nfs.Version, f.cred, f.opts.Reconnect)}
}

func (s *fileSession) reconnects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed + s.caller.reconnects()
}

func (s *fileSession) close() {
	s.caller.client.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipe != nil {
		s.pipe.close()
	}
}

func (s *fileSession) transfer(ctx context.Context, offset int64, data []byte, write bool) error {
	step := s.read
	if write {
		step = s.write
	}
	for len(data) > 0 {
		n, err := step(ctx, offset, data)
		if err == nil && n == 0 {
			err = errors.New("nothing was transferred")
		}
		if err != nil {
			return fmt.Errorf("at %d: %w", offset, err)
		}
		offset, data = offset+int64(n), data[n:]
	}
	return nil
}

// read reads some of p.
func (s *fileSession) read(ctx context.Context, offset int64, p []byte) (n int, err error) {
	args := &nfs.ReadArgs{File: s.file.handle, Offset: uint64(offset), Count: uint32(min(len(p), s.file.readMax))}
	var r nfs.ReadResult
	err = s.caller.call(ctx, nfs.ProcRead, &rpc.Request{Args: args}, &r, func() { n = copy(p[:args.Count], r.Data) })
	return n, err
}

// write writes some of p. If it may have been sent twice, it stays here until the first copy can be taken for dead: nothing newer may be
// written there that such a copy could land on.
func (s *fileSession) write(ctx context.Context, offset int64, p []byte) (n int, err error) {
	p = p[:min(len(p), s.file.writeMax)]
	args := writeHead{nfs.WriteArgs{File: s.file.handle, Offset: uint64(offset), Stable: s.file.opts.Stable}, len(p)}
	var r nfs.WriteResult
	connects := max(s.caller.connects.Load(), 1) // this may be the call that opens the first connection
	err = s.caller.call(ctx, nfs.ProcWrite, &rpc.Request{Args: &args, Data: [][]byte{p}}, &r, func() { n = min(int(r.Count), len(p)) })
	if s.caller.connects.Load() > connects {
		pause(ctx, lateWrite)
	}
	if err == nil && r.Committed == nfs.Unstable {
		s.file.verified(r.Verifier)
	}
	return n, err
}

// writeHead are the arguments of a WRITE without the data, which is sent from where it lies.
type writeHead struct {
	nfs.WriteArgs
	n int
}

func (h *writeHead) Encode(e *xdr.Encoder) { h.EncodeHead(e, h.n) }

func (s *fileSession) flush(ctx context.Context) error {
	var r nfs.CommitResult
	err := s.caller.call(ctx, nfs.ProcCommit, &rpc.Request{Args: &nfs.CommitArgs{File: s.file.handle}}, &r, func() {})
	if err == nil {
		s.file.verified(r.Verifier)
	}
	return err
}

// connect opens the pipe.
func (s *fileSession) connect(ctx context.Context) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", s.file.url.at(s.file.url.port))
	if err != nil {
		return err
	}
	s.pipe = newPipe(nc, s.file.opts)
	return nil
}

// renew opens the pipe again, unless somebody else has since broken was current.
func (s *fileSession) renew(ctx context.Context, broken *pipe) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipe != broken {
		return nil
	}
	broken.close()
	return again(ctx, func(ctx context.Context) error {
		err := s.connect(ctx)
		if err == nil {
			s.renewed++
		}
		return err
	})
}

func (s *fileSession) current() *pipe {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pipe
}
