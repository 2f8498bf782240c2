package iscsi

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Digest continues the CRC32C of RFC 7143 13.1 over p; it starts with 0. On the wire it is little endian (PutDigest).
func Digest(crc uint32, p []byte) uint32 { return crc32.Update(crc, castagnoli, p) }

// PutDigest writes a digest as it goes over the wire.
func PutDigest(p []byte, crc uint32) {
	p[0], p[1], p[2], p[3] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
}

// DigestAt reads a digest as it came over the wire.
func DigestAt(p []byte) uint32 {
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
}
