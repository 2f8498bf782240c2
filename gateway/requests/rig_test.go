package requests

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs/server"
)

// memory is a medium that a test kills, fills and looks at.
type memory struct {
	content  []byte
	aside    []byte
	rewrites int
	full     error // what writing fails with; nil: it doesn't
	partly   bool  // half of what is written reaches the file all the same
}

func (m *memory) load(most int64) ([]byte, error) {
	return bytes.Clone(m.content[:min(int64(len(m.content)), most)]), nil
}

func (m *memory) replace(content []byte) error {
	if m.full != nil {
		return m.full
	}
	m.rewrites++
	m.content = bytes.Clone(content)
	return nil
}

func (m *memory) write(p []byte, at int64) error {
	if m.full != nil {
		if m.partly {
			m.put(p[:len(p)/2], at)
		}
		return m.full
	}
	m.put(p, at)
	return nil
}

func (m *memory) put(p []byte, at int64) {
	if end := int(at) + len(p); end > len(m.content) {
		m.content = append(m.content, make([]byte, end-len(m.content))...)
	}
	copy(m.content[at:], p)
}

func (m *memory) setAside() error { m.aside = bytes.Clone(m.content); return nil }
func (m *memory) close() error    { return nil }

var errFull = errors.New("no space left on device")

// lines are those of a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(what))
}

func opened(t *testing.T, m medium, size int) (*Journal, *lines) {
	t.Helper()
	l := new(lines)
	j, err := open(m, size, zerolog.New(l))
	if err != nil {
		t.Fatal(err)
	}
	return j, l
}

var began = time.Unix(1e9, 5)

func idOf(i int) server.CallID {
	addresses := []netip.Addr{{}, netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}
	return server.CallID{Client: addresses[i%len(addresses)], XID: uint32(i), Procedure: 12, Sum: uint64(i) << 40}
}

func record(s server.Step, i int) server.Record {
	r := server.Record{Step: s, ID: idOf(i), At: began.Add(time.Duration(i) * time.Millisecond)}
	if s == server.Outcome {
		r.Answer = bytes.Repeat([]byte{byte(i)}, 100+i%7)
	}
	return r
}

func intent(i int) server.Record  { return record(server.Intent, i) }
func outcome(i int) server.Record { return record(server.Outcome, i) }

func keep(t *testing.T, j *Journal, list ...server.Record) {
	t.Helper()
	for _, r := range list {
		j.Keep(t.Context(), r)
	}
}

func same(a, b []server.Record) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := &a[i], &b[i]
		if x.Step != y.Step || x.ID != y.ID || !x.At.Equal(y.At) || !bytes.Equal(x.Answer, y.Answer) {
			return false
		}
	}
	return true
}

func expect(t *testing.T, what string, got []server.Record, want ...server.Record) {
	t.Helper()
	if !same(got, want) {
		t.Errorf("%s: %v\nwant %v", what, got, want)
	}
}
