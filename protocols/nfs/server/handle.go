package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"forebay/protocols/nfs"
)

// A client's handle is
//
//	0      version: 1, the file system's own handle follows; 2, its SHA-256 does
//	1      key id
//	2..3   export id
//	4..11  MAC of all the rest
//	12..   what follows
//
// and so has 64 bytes at most.
const (
	handleShort = 1
	handleLong  = 2

	handleMAC  = 4
	handleBody = 12
	maxShort   = nfs.MaxHandle - handleBody
)

// seal makes the handles that clients get, and knows them again. Its methods allocate nothing but what they return.
type seal struct {
	key sipKey
	id  byte
	// duplicates is for what identifies a call: every gateway of the cluster finds the same.
	duplicates sipKey
}

func newSeal(cluster [32]byte, id byte) seal {
	h := hmac.New(sha256.New, cluster[:])
	h.Write([]byte("forebay NFS handles"))
	k := h.Sum(nil)
	u64 := binary.LittleEndian.Uint64
	return seal{key: sipKey{u64(k), u64(k[8:])}, id: id, duplicates: sipKey{u64(k[16:]), u64(k[24:])}}
}

// close appends a client's handle to p.
func (s *seal) close(p []byte, version byte, export uint16, body []byte) nfs.Handle {
	at := len(p)
	p = append(p, version, s.id, byte(export>>8), byte(export))
	p = binary.BigEndian.AppendUint64(p, s.mac(p[at:], body))
	return append(p, body...)
}

// open checks a client's handle. The body is a view.
func (s *seal) open(h nfs.Handle) (version byte, export uint16, body []byte, ok bool) {
	if len(h) < handleBody || len(h) > nfs.MaxHandle || h[1] != s.id {
		return 0, 0, nil, false
	}
	version, body = h[0], h[handleBody:]
	known := version == handleShort && len(body) > 0 || version == handleLong && len(body) == sha256.Size
	if !known || binary.BigEndian.Uint64(h[handleMAC:]) != s.mac(h, body) {
		return 0, 0, nil, false
	}
	return version, binary.BigEndian.Uint16(h[2:]), body, true
}

func (s *seal) mac(head, body []byte) uint64 {
	var p [handleMAC + maxShort]byte
	copy(p[:], head[:handleMAC])
	return s.key.sum(p[:handleMAC+copy(p[handleMAC:], body)])
}
