package initiator

import "context"

// Pages of vital product data (SPC-4 7.8, SBC-3 6.6).
const (
	pageDesignators  = 0x83
	pageBlockLimits  = 0xb0
	pageProvisioning = 0xb2
)

const vitalHeader = 4

// vitalPage asks for a page of vital product data and returns it with its header, as long as it says and no longer than what came.
// It is nil when the LUN has no such page.
func (s *Session) vitalPage(ctx context.Context, lun uint16, page byte) ([]byte, error) {
	p, err := s.Inquiry(ctx, lun, page)
	if err != nil {
		if IsUnsupported(err) {
			return nil, nil
		}
		return nil, err
	}
	return cutVital(p, page), nil
}

// cutVital returns the page that p holds, or nil: it may be another one, or of a LUN that isn't there (peripheral qualifier 011b).
func cutVital(p []byte, page byte) []byte {
	if len(p) < vitalHeader || p[1] != page || p[0]>>5 == 3 {
		return nil
	}
	return p[:min(len(p), vitalHeader+int(be.Uint16(p[2:])))]
}
