package iscsi

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// Credentials are the secrets of a CHAP relation (RFC 7143 12.1.3). With a MutualUser the target proves itself too.
type Credentials struct {
	User, Secret             string
	MutualUser, MutualSecret string
}

// CHAP algorithms (RFC 1994, IANA PPP registry), the preferred first.
const (
	chapSHA256 = "7"
	chapMD5    = "5"
)

// Algorithms is the list that we offer or take from, as CHAP_A has it.
const Algorithms = chapSHA256 + "," + chapMD5

// ChooseAlgorithm takes the first of an offered list that we know, or "".
func ChooseAlgorithm(offered string) string {
	for _, a := range strings.Split(offered, ",") {
		if a == chapSHA256 || a == chapMD5 {
			return a
		}
	}
	return ""
}

// Challenge is one CHAP challenge with its identifier.
type Challenge struct {
	ID    byte
	Value []byte
}

// NewChallenge makes a challenge of 16 random bytes.
func NewChallenge() Challenge {
	p := make([]byte, 17)
	_, _ = rand.Read(p) // never fails
	return Challenge{ID: p[0], Value: p[1:]}
}

// Response is the answer to a challenge: a hash of identifier, secret and challenge (RFC 1994 4.1).
func (c Challenge) Response(algorithm, secret string) []byte {
	p := append([]byte{c.ID}, secret...)
	p = append(p, c.Value...)
	if algorithm == chapSHA256 {
		sum := sha256.Sum256(p)
		return sum[:]
	}
	sum := md5.Sum(p)
	return sum[:]
}

// Verify compares a response in constant time.
func (c Challenge) Verify(algorithm, secret string, response []byte) bool {
	return subtle.ConstantTimeCompare(c.Response(algorithm, secret), response) == 1
}

// Reflects says whether the peer's challenge is c itself, which would make us compute the answer that we ask for. RFC 7143 12.1.3
// has such a login fail.
func (c Challenge) Reflects(theirs []byte) bool { return bytes.Equal(c.Value, theirs) }

var errBinary = errors.New("malformed binary value")

// ParseBinary reads a large binary value: 0x and hexadecimal digits, or 0b and base64 (RFC 7143 6.1).
func ParseBinary(s string) ([]byte, error) {
	if len(s) > maxValue || len(s) < 2 {
		return nil, errBinary
	}
	switch s[:2] {
	case "0x", "0X":
		digits := s[2:]
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		return hex.DecodeString(digits)
	case "0b", "0B":
		return base64.StdEncoding.DecodeString(s[2:])
	}
	return nil, errBinary
}

// FormatBinary writes a binary value in hexadecimal.
func FormatBinary(p []byte) string { return "0x" + hex.EncodeToString(p) }
