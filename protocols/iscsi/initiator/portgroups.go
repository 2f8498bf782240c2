package initiator

import (
	"context"
	"fmt"
)

const (
	opMaintenanceIn    = 0xa3
	saReportPortGroups = 0x0a

	reportLength    = 16 << 10 // what we ask for of a list
	portGroupHeader = 8
	portLength      = 4
)

// AccessState is what the ports of a group do with commands to a LUN (SPC-4 5.15.2.4).
type AccessState byte

// The states. Commands go to the first two; the others refuse most of them.
const (
	Optimized AccessState = iota
	NonOptimized
	Standby
	Unavailable
	Offline
	Transitioning
)

// String names the state as SPC-4 does.
func (a AccessState) String() string {
	switch a {
	case Optimized:
		return "active/optimized"
	case NonOptimized:
		return "active/non-optimized"
	case Standby:
		return "standby"
	case Unavailable:
		return "unavailable"
	case Offline:
		return "offline"
	case Transitioning:
		return "transitioning"
	}
	return fmt.Sprintf("state %d", byte(a))
}

// PortGroup is a target port group with what it is to a LUN now.
type PortGroup struct {
	ID        uint16
	State     AccessState
	Preferred bool     // the array would rather be asked through it
	Ports     []uint16 // relative target port identifiers
}

// PortGroups asks for the target port groups (REPORT TARGET PORT GROUPS, SPC-4 6.37). A LUN without asymmetric access has none,
// without an error. Errors are those of Do, and ErrProtocol.
func (s *Session) PortGroups(ctx context.Context, lun uint16) ([]PortGroup, error) {
	cdb := [16]byte{opMaintenanceIn, saReportPortGroups}
	be.PutUint32(cdb[6:], reportLength)
	p, err := s.ask(ctx, lun, cdb, reportLength)
	if err != nil {
		if IsUnsupported(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("REPORT TARGET PORT GROUPS: %w", err)
	}
	groups, ok := parsePortGroups(p)
	if !ok {
		return nil, protocolError("target port groups of %d bytes", len(p))
	}
	return groups, nil
}

// parsePortGroups reads the length and the descriptors that are here as a whole; ok is false when there is no length.
func parsePortGroups(p []byte) (groups []PortGroup, ok bool) {
	if len(p) < 4 {
		return nil, false
	}
	rest := p[4:]
	rest = rest[:min(uint64(len(rest)), uint64(be.Uint32(p)))]
	for len(rest) >= portGroupHeader {
		end := portGroupHeader + portLength*int(rest[7])
		if end > len(rest) {
			break
		}
		g := PortGroup{ID: be.Uint16(rest[2:]), State: accessState(rest[0] & 15), Preferred: rest[0]&0x80 != 0}
		for port := rest[portGroupHeader:end]; len(port) > 0; port = port[portLength:] {
			g.Ports = append(g.Ports, be.Uint16(port[2:]))
		}
		groups = append(groups, g)
		rest = rest[end:]
	}
	return groups, true
}

// accessState reads an ASYMMETRIC ACCESS STATE (SPC-4 table 309).
func accessState(code byte) AccessState {
	switch code {
	case 0x0:
		return Optimized
	case 0x1, 0x4: // logical block dependent: it takes commands, and those to some blocks have a better way
		return NonOptimized
	case 0x2:
		return Standby
	case 0xe:
		return Offline
	case 0xf:
		return Transitioning
	}
	return Unavailable
}
