package initiator

import (
	"context"
	"fmt"
)

const (
	opModeSense6    = 0x1a
	modeHeader      = 4
	modeLength      = 252 // what we ask for: the length of MODE SENSE(6) has one byte
	pageCaching     = 0x08
	pageAll         = 0x3f
	subpageFormat   = 0x40
	modePageHeader  = 2
	modeSubpageHead = 4
)

// Caching is how a LUN treats writes.
type Caching struct {
	WriteCache bool // WCE: an answered write may be lost in a power cut until it is flushed
	FUA        bool // DPOFUA: a write may ask to be durable before it is answered
	ReadOnly   bool // WP: writes are refused
}

// Caching asks for the caching mode page (MODE SENSE(6), SPC-4 6.13 and 7.5; SBC-3 6.5.5). A LUN that does not tell whether it has a
// write cache is taken to have one: what is flushed in vain is not lost. Errors are those of Do, and ErrProtocol.
func (s *Session) Caching(ctx context.Context, lun uint16) (Caching, error) {
	var p []byte
	for _, page := range []byte{pageCaching, pageAll} {
		var err error
		p, err = s.ask(ctx, lun, [16]byte{opModeSense6, 0, page, 0, modeLength}, modeLength)
		if err == nil {
			break
		}
		if !IsUnsupported(err) {
			return Caching{}, fmt.Errorf("MODE SENSE: %w", err)
		}
		p = nil
	}
	return parseCaching(p), nil
}

// parseCaching reads mode parameters for MODE SENSE(6): a header, block descriptors, pages (SPC-4 7.5.4).
func parseCaching(p []byte) Caching {
	c := Caching{WriteCache: true}
	if len(p) < modeHeader {
		return c
	}
	c.ReadOnly, c.FUA = p[2]&0x80 != 0, p[2]&0x10 != 0
	end := min(len(p), 1+int(p[0]))
	for rest := p[min(end, modeHeader+int(p[3])):end]; len(rest) > modePageHeader; {
		next := modePageHeader + int(rest[1])
		if rest[0]&subpageFormat != 0 {
			if len(rest) < modeSubpageHead {
				break
			}
			next = modeSubpageHead + int(be.Uint16(rest[2:]))
		}
		if rest[0]&0x7f == pageCaching && next > 2 {
			c.WriteCache = rest[2]&0x04 != 0
			break
		}
		rest = rest[min(len(rest), next):]
	}
	return c
}
