// Package portmap is the port mapper, version 2 (RFC 1833 3), with fixed entries: it tells clients where our programs listen. Nobody
// registers anything.
package portmap

import (
	"context"

	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// Program and Version are what ONC RPC knows the port mapper by.
const (
	Program = 100000
	Version = 2
)

// Its procedures.
const (
	ProcNull    = 0
	ProcSet     = 1
	ProcUnset   = 2
	ProcGetPort = 3
	ProcDump    = 4
)

// The protocols of mappings.
const (
	TCP = 6
	UDP = 17
)

// Mapping is a program that listens at a port.
type Mapping struct{ Program, Version, Protocol, Port uint32 }

func (m *Mapping) Encode(e *xdr.Encoder) {
	e.Uint32(m.Program)
	e.Uint32(m.Version)
	e.Uint32(m.Protocol)
	e.Uint32(m.Port)
}

func (m *Mapping) Decode(d *xdr.Decoder) {
	m.Program, m.Version, m.Protocol, m.Port = d.Uint32(), d.Uint32(), d.Uint32(), d.Uint32()
}

// Mappings is the result of DUMP.
type Mappings []Mapping

func (l *Mappings) Encode(e *xdr.Encoder) {
	for i := range *l {
		e.Bool(true)
		(*l)[i].Encode(e)
	}
	e.Bool(false)
}

func (l *Mappings) Decode(d *xdr.Decoder) {
	*l = nil
	for d.Bool() {
		var m Mapping
		m.Decode(d)
		*l = append(*l, m)
	}
}

// Server is the port mapper as an rpc.Program: it has these entries for ever. Its own ones belong among them.
type Server Mappings

func (s Server) Number() uint32                       { return Program }
func (s Server) Versions() (low, high uint32)         { return Version, Version }
func (s Server) Inline(c *rpc.Call) bool              { s.answer(c); return true }
func (s Server) Serve(_ context.Context, c *rpc.Call) { s.answer(c) }

func (s Server) answer(c *rpc.Call) {
	d := xdr.NewDecoder(c.Args)
	var asked Mapping
	switch c.Procedure {
	case ProcSet, ProcUnset:
		if asked.Decode(&d); d.Err() == nil {
			c.Results.Bool(false)
		}
	case ProcGetPort:
		if asked.Decode(&d); d.Err() == nil {
			c.Results.Uint32(s.port(&asked))
		}
	case ProcDump:
		(*Mappings)(&s).Encode(&c.Results)
	default: // CALLIT (5) too, which has been used to hide behind a port mapper
		c.Fail(rpc.ProcUnavail)
	}
	if d.Err() != nil {
		c.Fail(rpc.GarbageArgs)
	}
}

// port looks a program up. As port mappers do, it answers another version's port if it doesn't have the one asked for: there the client
// learns which there are. 0 is none.
func (s Server) port(asked *Mapping) (port uint32) {
	for _, m := range s {
		if m.Program == asked.Program && m.Protocol == asked.Protocol {
			if port = m.Port; m.Version == asked.Version {
				break
			}
		}
	}
	return port
}
