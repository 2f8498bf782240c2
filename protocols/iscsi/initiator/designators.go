package initiator

import (
	"bytes"
	"context"
	"encoding/hex"
)

// Designators are the names of a LUN and of the port that was asked.
type Designators struct {
	Name         string // of the LUN, the same through every port: "naa.6...", "eui....", "iqn....", "t10...."; "": it has none
	PortGroup    uint16 // target port group, which PortGroups tells the state of; 0 also when there is none
	RelativePort uint16 // relative target port identifier; 0: not told
}

// Designators asks for the device identification (VPD page 83h, SPC-4 7.8.6). Of several names it takes the best: NAA 6, another NAA,
// EUI-64, SCSI name string, T10 vendor id. A LUN without the page has none, without an error. Errors are those of Do, and ErrProtocol.
func (s *Session) Designators(ctx context.Context, lun uint16) (Designators, error) {
	page, err := s.vitalPage(ctx, lun, pageDesignators)
	if err != nil {
		return Designators{}, err
	}
	return parseDesignators(page), nil
}

// Types of designators, and what they belong to (SPC-4 7.8.6.1).
const (
	designatorT10          = 1
	designatorEUI64        = 2
	designatorNAA          = 3
	designatorRelativePort = 4
	designatorPortGroup    = 5
	designatorSCSIName     = 8

	ofLUN  = 0
	ofPort = 1

	codeSetBinary    = 1
	designatorHeader = 4
)

// parseDesignators reads a page with its header. A descriptor that is longer than the page ends it.
func parseDesignators(page []byte) Designators {
	var d Designators
	best := 0
	for rest := page[min(len(page), vitalHeader):]; len(rest) >= designatorHeader; {
		end := designatorHeader + int(rest[3])
		if end > len(rest) {
			break
		}
		kind, value := rest[1]&15, rest[designatorHeader:end]
		switch rest[1] >> 4 & 3 {
		case ofLUN:
			// Two names of one rank may come in any order: the name must not depend on it.
			name, rank := lunName(kind, rest[0]&15, value)
			if rank > best || rank == best && name < d.Name {
				d.Name, best = name, rank
			}
		case ofPort:
			d.takePort(kind, value)
		}
		rest = rest[end:]
	}
	return d
}

func (d *Designators) takePort(kind byte, value []byte) {
	if len(value) != 4 {
		return
	}
	switch kind {
	case designatorRelativePort:
		d.RelativePort = be.Uint16(value[2:])
	case designatorPortGroup:
		d.PortGroup = be.Uint16(value[2:])
	}
}

// lunName writes a designator of a LUN as a name. The higher the rank the better; 0: it is none.
func lunName(kind, codeSet byte, value []byte) (name string, rank int) {
	switch kind {
	case designatorNAA:
		return naaName(value)
	case designatorEUI64:
		if n := len(value); n == 8 || n == 12 || n == 16 {
			return "eui." + hex.EncodeToString(value), 3
		}
	case designatorSCSIName:
		if name := text(value); name != "" {
			return name, 2
		}
	case designatorT10:
		if name := text(value); name != "" && codeSet != codeSetBinary {
			return "t10." + name, 1
		}
		if len(value) > 0 {
			return "t10." + hex.EncodeToString(value), 1
		}
	}
	return "", 0
}

// naaName writes a designator of a Name Address Authority: 16 bytes for NAA 6, else 8 (SPC-4 7.8.6.6).
func naaName(value []byte) (name string, rank int) {
	if len(value) != 8 && len(value) != 16 {
		return "", 0
	}
	switch naa := value[0] >> 4; {
	case naa == 6 && len(value) == 16:
		rank = 5
	case (naa == 2 || naa == 3 || naa == 5) && len(value) == 8:
		rank = 4
	default:
		return "", 0
	}
	return "naa." + hex.EncodeToString(value), rank
}

// text returns what is printable ASCII, without the padding at its end; "" for anything else.
func text(p []byte) string {
	p = bytes.TrimRight(p, " \x00")
	if bytes.ContainsFunc(p, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return string(p)
}
