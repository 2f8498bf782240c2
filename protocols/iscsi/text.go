package iscsi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// KeyValue is one text key (RFC 7143 6.1).
type KeyValue struct{ Key, Value string }

// Bounds on what a peer may send as text.
const (
	MaxText  = 64 << 10 // bytes of one request, over all its PDUs
	maxKeys  = 256
	maxKey   = 63
	maxValue = 8192 // RFC 7143 6.1: larger ones need a declaration that nobody makes
)

// ErrText is text that is not a list of key=value pairs, each ended by a NUL.
var ErrText = errors.New("malformed text")

// ParseText reads a list of keys. Unknown ones are kept: the negotiation answers NotUnderstood.
func ParseText(p []byte) ([]KeyValue, error) {
	if len(p) > MaxText {
		return nil, fmt.Errorf("%w: %d bytes", ErrText, len(p))
	}
	return parse(p, maxKeys)
}

// ParseTargets reads the answer to SendTargets, which has a key for each target and each of its addresses: the caller bounds its length.
func ParseTargets(p []byte) ([]KeyValue, error) { return parse(p, len(p)) }

func parse(p []byte, most int) ([]KeyValue, error) {
	var list []KeyValue
	for len(p) > 0 {
		end := bytes.IndexByte(p[:min(len(p), maxKey+1+maxValue+1)], 0)
		if end < 0 {
			return nil, fmt.Errorf("%w: no end of a pair", ErrText)
		}
		pair := string(p[:end])
		p = p[end+1:]
		if pair == "" { // padding between pairs is forgiven
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" || len(key) > maxKey {
			return nil, fmt.Errorf("%w: %.32q", ErrText, pair)
		}
		if list = append(list, KeyValue{key, value}); len(list) > most {
			return nil, fmt.Errorf("%w: more than %d keys", ErrText, most)
		}
	}
	return list, nil
}

// AppendText adds one pair.
func AppendText(p []byte, key, value string) []byte {
	p = append(p, key...)
	p = append(p, '=')
	p = append(p, value...)
	return append(p, 0)
}

// EncodeText writes a list of keys.
func EncodeText(list []KeyValue) []byte {
	var p []byte
	for _, kv := range list {
		p = AppendText(p, kv.Key, kv.Value)
	}
	return p
}
