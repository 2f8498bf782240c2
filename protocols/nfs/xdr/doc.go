// Package xdr reads and writes the External Data Representation of RFC 4506: a Decoder over a byte slice, an Encoder that appends to
// one. Both are values that live on the caller's stack, and neither allocates apart from strings and the Encoder's growth.
//
// A Decoder never reads past its bytes, and every length that comes off the wire is checked against what the caller allows and against
// what is left. Its error is sticky: after the first one every read returns zero, so that a message is decoded straight through and
// checked once at its end.
//
// As all implementations do, it takes padding of any content, and bytes behind a message are the caller's affair.
package xdr

// Pad is the number of bytes that fill n bytes up to a multiple of four (RFC 4506 3).
func Pad(n int) int { return -n & 3 }
