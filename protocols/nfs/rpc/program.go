package rpc

import "context"

// Program is one RPC program of a server. Its methods are called by many goroutines.
type Program interface {
	Number() uint32
	// Versions are those that it serves, from low to high.
	Versions() (low, high uint32)
	// Serve answers a call: it decodes c.Args, and appends to c.Results or calls c.Fail. Procedure 0 is answered without it. ctx ends when
	// the server is cut down, not with the connection: what a call does may have begun, and its client may ask again on another one. c and
	// what it refers to are the program's until it returns.
	Serve(ctx context.Context, c *Call)
}

// Inliner is a Program that may answer calls at once.
type Inliner interface {
	Program
	// Inline answers c as Serve does if that needs no waiting (no I/O, no lock that is held over I/O), and says whether it did. If not, c is
	// unchanged and Serve is called.
	Inline(c *Call) bool
}

// programs is a registry. The first one of a number counts.
type programs []Program

// find returns who serves a call, or the verdict that nobody does.
func (list programs) find(h *CallHeader) (Program, error) {
	for _, p := range list {
		if p.Number() != h.Program {
			continue
		}
		if low, high := p.Versions(); h.Version < low || h.Version > high {
			return nil, &MismatchError{Of: ProgMismatch, Low: low, High: high}
		}
		return p, nil
	}
	return nil, ProgUnavail
}

// inline answers a call that needs no program, or one that its program answers at once. It returns the program of any other.
func (list programs) inline(c *Call) Program {
	p, verdict := list.find(&c.CallHeader)
	switch {
	case verdict != nil:
		c.Fail(verdict)
	case c.Procedure == 0:
	default:
		if quick, ok := p.(Inliner); !ok || !quick.Inline(c) {
			return p
		}
	}
	return nil
}
