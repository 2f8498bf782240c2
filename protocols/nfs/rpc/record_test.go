package rpc

import (
	stdbytes "bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// newRecords returns a reader whose memory is counted.
func newRecords(from io.Reader, limit int) (s *records, out *int) {
	out = new(int)
	return &records{from: from, limit: limit, buf: make([]byte, readBuffer), wait: func(bool) error { return nil },
		get: func(n int) (memory, error) { *out++; return takeMemory(heap{}, n), nil }, put: func(memory) { *out-- }}, out
}

// fragments is a record as the wire has it, cut at the places given.
func fragments(p []byte, cuts ...int) []byte {
	var wire []byte
	at := 0
	for _, cut := range append(cuts, len(p)) {
		mark := uint32(cut - at)
		if cut == len(p) {
			mark |= lastFragment
		}
		wire = append(binary.BigEndian.AppendUint32(wire, mark), p[at:cut]...)
		at = cut
	}
	return wire
}

// Whatever the fragments of records are, and however the stream brings them, the records are the same.
func TestRecordsArriveHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent [][]byte
		var wire []byte
		for range rapid.IntRange(1, 6).Draw(t, "records") {
			p := make([]byte, rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(shortMax-9, shortMax+9), rapid.IntRange(0, 300<<10)).Draw(t, "length"))
			for i := range p {
				p[i] = byte(i*7) + byte(len(sent))
			}
			var cuts []int
			for at := 0; rapid.Bool().Draw(t, "fragment") && at < len(p); {
				at = rapid.IntRange(at, len(p)-1).Draw(t, "cut")
				cuts = append(cuts, at)
			}
			sent = append(sent, p)
			wire = append(wire, fragments(p, cuts...)...)
		}
		var from io.Reader = stdbytes.NewReader(wire)
		if chunk := rapid.SampledFrom([]int{0, 1, 1000, 70000}).Draw(t, "chunk"); chunk > 0 {
			from = &chunked{from, chunk}
		}
		s, out := newRecords(from, 300<<10)
		for i, want := range sent {
			got, m, err := s.next()
			if err != nil || !stdbytes.Equal(got, want) {
				t.Fatalf("record %d: %d bytes, %d were sent: %v", i, len(got), len(want), err)
			}
			if m.from != nil {
				*out--
			}
		}
		if _, _, err := s.next(); !errors.Is(err, io.EOF) || *out != 0 {
			t.Fatalf("at the end: %v, memory %d", err, *out)
		}
	})
}

type chunked struct {
	from io.Reader
	n    int
}

func (c *chunked) Read(p []byte) (int, error) { return c.from.Read(p[:min(len(p), c.n)]) }

func TestABadRecordEndsTheStream(t *testing.T) {
	const limit = 64 << 10
	long := make([]byte, limit)
	for _, c := range []struct {
		name string
		wire []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"a cut mark", []byte{0x80, 0}, io.ErrUnexpectedEOF},
		{"a mark alone", []byte{0x80, 0, 0, 1}, io.ErrUnexpectedEOF},
		{"a cut record", fragments(long)[:1000], io.ErrUnexpectedEOF},
		{"no last fragment", fragments(make([]byte, 20), 10)[:14], io.ErrUnexpectedEOF},
		{"a record over the limit", fragments(append(long, 0)), ErrProtocol},
		{"fragments over the limit", fragments(append(long, 0), limit/2), ErrProtocol},
		{"a fragment of 2 GiB", []byte{0xff, 0xff, 0xff, 0xff}, ErrProtocol},
		{"a later fragment of 2 GiB", []byte{0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, ErrProtocol},
		{"too many fragments", make([]byte, markLength*(maxFragments+1)), ErrProtocol},
	} {
		s, out := newRecords(iotest.HalfReader(stdbytes.NewReader(c.wire)), limit)
		if _, _, err := s.next(); !errors.Is(err, c.want) || *out != 0 {
			t.Errorf("%s: %v, memory %d", c.name, err, *out)
		}
	}
}

func TestShortRecordsTakeNoMemory(t *testing.T) {
	wire := append(fragments(make([]byte, shortMax)), fragments(make([]byte, shortMax+1))...)
	s, out := newRecords(stdbytes.NewReader(wire), maxRecord)
	if _, m, err := s.next(); err != nil || m.from != nil || *out != 0 {
		t.Errorf("short: %v, memory %d", err, *out)
	}
	if _, m, err := s.next(); err != nil || m.from == nil || *out != 1 {
		t.Errorf("long: %v, memory %d", err, *out)
	}
}
