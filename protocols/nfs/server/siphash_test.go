package server

import "testing"

// The vectors of the reference implementation: key 00 01 .. 0f, messages of 00 01 .. .
func TestSipHashIsThatOfThePaper(t *testing.T) {
	key := sipKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	var p []byte
	for i := range byte(64) {
		p = append(p, i)
	}
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462,
		15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572} {
		if got := key.sum(p[:n]); got != want {
			t.Errorf("%d bytes: %016x, want %016x", n, got, want)
		}
	}
}
