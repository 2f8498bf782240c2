package relay

import "forebay/protocols/iscsi"

// framer finds the PDUs in a stream of bytes that comes in pieces of any length (RFC 7143 11.1, 13.1). Any bytes make some PDUs.
type framer struct {
	headerDigest, dataDigest bool // of all but logins

	header [iscsi.HeaderLength]byte
	have   int // bytes of the header
	left   int // bytes of the PDU that have not come, once the header is complete
}

// pdus is told of the PDUs: begin once the header is there, which it must not keep, more for the other bytes as they come, complete.
type pdus interface {
	begin(h iscsi.Header)
	more(p []byte)
	complete()
}

func (f *framer) feed(p []byte, to pdus) {
	for len(p) > 0 {
		var n int
		if f.left == 0 {
			n = copy(f.header[f.have:], p)
			if f.have += n; f.have < len(f.header) {
				return
			}
			f.have, f.left = 0, f.length()
			to.begin(f.header[:])
		} else {
			n = min(f.left, len(p))
			f.left -= n
			to.more(p[:n])
		}
		if f.left == 0 {
			to.complete()
		}
		p = p[n:]
	}
}

// length is that of what follows the header: additional headers, data, padding, digests.
func (f *framer) length() int {
	h := iscsi.Header(f.header[:])
	data := h.DataLength()
	n := h.AHSLength() + data + iscsi.Pad(data)
	if op := h.Opcode(); op == iscsi.OpLogin || op == iscsi.OpLoginResp {
		return n
	}
	if f.headerDigest {
		n += 4
	}
	if f.dataDigest && data > 0 {
		n += 4
	}
	return n
}
