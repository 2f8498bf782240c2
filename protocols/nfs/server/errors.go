package server

import (
	"context"
	"errors"

	"forebay/protocols/nfs"
)

// statusOf is what a client is told when its request has no answer: to ask again later, if the file system is away, or if nobody knows what
// has become of it. strange says that nobody knows why.
func statusOf(err error) (s nfs.Status, strange bool) {
	switch {
	case errors.Is(err, nfs.ErrAway), errors.Is(err, nfs.ErrOutcomeUnknown), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		return nfs.ErrJukebox, false
	case errors.As(err, &s) && s != nfs.OK:
		return s, false
	}
	return nfs.ErrIO, true
}

// failed logs what is strange about an error, and returns its status.
func (s *Server) failed(e *export, p nfs.Procedure, err error) nfs.Status {
	status, strange := statusOf(err)
	if strange {
		s.complaints.add(e.Export, p, err)
	}
	return status
}

// fail makes the result one of a request that has no answer.
func (r *request) fail(err error) { r.clear(r.s.failed(r.export, r.proc, err)) }
