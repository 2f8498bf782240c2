package requests

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
	"time"

	"forebay/protocols/nfs/server"
)

const (
	magic      = "FBNFSRQ1"
	headLength = 8                 // of a record: length and checksum
	leastBody  = 2 + 4 + 4 + 8 + 8 // without address and answer
	mostBody   = leastBody + 16 + server.MaxAnswer
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the encoded form of r, whose answer is not too long.
func appendRecord(p []byte, r *server.Record) []byte {
	at := len(p)
	address := r.ID.Client.AsSlice()
	p = append(p, make([]byte, headLength)...)
	p = append(p, byte(r.Step), byte(len(address)))
	p = append(p, address...)
	p = binary.BigEndian.AppendUint32(p, r.ID.XID)
	p = binary.BigEndian.AppendUint32(p, r.ID.Procedure)
	p = binary.BigEndian.AppendUint64(p, r.ID.Sum)
	p = binary.BigEndian.AppendUint64(p, uint64(r.At.UnixNano()))
	p = append(p, r.Answer...)
	binary.BigEndian.PutUint32(p[at:], uint32(len(p)-at-headLength))
	binary.BigEndian.PutUint32(p[at+4:], checksum(p[at:]))
	return p
}

// checksum is that of a whole record.
func checksum(p []byte) uint32 {
	return crc32.Update(crc32.Checksum(p[:4], castagnoli), castagnoli, p[headLength:])
}

// How reading a record fails.
var (
	errTorn   = errors.New("the last record is not whole")
	errDamage = errors.New("there is something else than a record")
)

// readRecord reads the record that p begins with, and says how long it is. Its answer is a view of p.
func readRecord(p []byte) (r server.Record, n int, err error) {
	if len(p) < headLength {
		return r, 0, errTorn
	}
	length := binary.BigEndian.Uint32(p)
	if length < leastBody || length > mostBody {
		return r, 0, errDamage
	}
	n = headLength + int(length)
	if len(p) < n {
		return r, 0, errTorn
	}
	if binary.BigEndian.Uint32(p[4:]) != checksum(p[:n]) || !decodeBody(&r, p[headLength:n]) {
		return r, 0, errDamage
	}
	return r, n, nil
}

// decodeBody decodes a body of leastBody bytes at least.
func decodeBody(r *server.Record, p []byte) bool {
	step, address := server.Step(p[0]), int(p[1])
	if step < server.Intent || step > server.Unknown || len(p) < leastBody+address {
		return false
	}
	client, ok := netip.AddrFromSlice(p[2 : 2+address])
	if !ok && address > 0 {
		return false
	}
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	p = p[2+address:]
	*r = server.Record{Step: step, ID: server.CallID{Client: client, XID: u32(p), Procedure: u32(p[4:]), Sum: u64(p[8:])},
		At: time.Unix(0, int64(u64(p[16:])))}
	if answer := p[24:]; len(answer) > 0 {
		r.Answer = answer
	}
	return len(r.Answer) <= server.MaxAnswer && (step == server.Outcome || r.Answer == nil)
}

// read reads a file: the records before what can't be one, which err tells. An empty file has no records.
func read(p []byte) (list []server.Record, err error) {
	if len(p) < len(magic) && magic[:len(p)] == string(p) {
		return nil, nil
	}
	if len(p) < len(magic) || string(p[:len(magic)]) != magic {
		return nil, errDamage
	}
	for p = p[len(magic):]; len(p) > 0; {
		r, n, err := readRecord(p)
		if err != nil {
			return list, err
		}
		list, p = append(list, r), p[n:]
	}
	return list, nil
}
