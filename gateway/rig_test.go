package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// san is an array whose coming and going a test decides. It holds its backends against what they are promised: one at a time, closed once
// and with no call under way.
type san struct {
	t   testing.TB
	mem *arraytest.Mem

	mu       sync.Mutex
	away     error // what is answered; nil: it is there
	identity string
	opens    int            // attempts
	open     *lun           // attached now
	stuck    chan struct{}  // open waits for it; nil: it doesn't
	hung     chan struct{}  // calls wait for it, whatever their contexts say
	asked    map[string]int // calls that reached the medium
}

func newSAN(t testing.TB, info cachecore.ArrayInfo) *san {
	if info.Size == 0 {
		info = cachecore.ArrayInfo{Size: 8 * mib, WriteCache: true, Thin: true, UnmapZeroes: true}
	}
	s := &san{t: t, mem: arraytest.NewMem(info), identity: "uuid:1", asked: map[string]int{}}
	t.Cleanup(func() {
		if s.open != nil {
			t.Error("the array is still open at the end")
		}
	})
	return s
}

// set changes what the array does.
func (s *san) set(change func(*san)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// lose has everything answered with an error that wraps ErrUnavailable.
func (s *san) lose(why string) {
	s.set(func(s *san) { s.away = fmt.Errorf("%w: %s", cachecore.ErrUnavailable, why) })
}

func (s *san) comeBack() { s.set(func(s *san) { s.away = nil }) }

func (s *san) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens
}

func (s *san) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[call]
}

// isOpen says whether somebody has it.
func (s *san) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open != nil
}

// attach is an attachment's open.
func (s *san) attach(context.Context) (backend, error) {
	s.mu.Lock()
	s.opens++
	stuck := s.stuck
	s.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	if s.open != nil {
		s.t.Error("opened while the last one is open (PROTOCOL D2)")
	}
	s.open = &lun{san: s}
	return s.open, nil
}

// lun is a backend.
type lun struct {
	san   *san
	calls int // under way; guarded by san.mu
}

func (l *lun) Info() cachecore.ArrayInfo {
	info := l.san.mem.Info()
	info.Identity = l.san.identity
	return info
}

func (l *lun) Close() error {
	l.san.mu.Lock()
	defer l.san.mu.Unlock()
	if l.san.open != l || l.calls != 0 {
		l.san.t.Errorf("closed twice, or with %d calls under way", l.calls)
	}
	l.san.open = nil
	return nil
}

func (l *lun) do(call string, f func() error) error {
	l.san.mu.Lock()
	away, hung := l.san.away, l.san.hung
	if l.san.open != l {
		l.san.t.Error(call, " of a closed array")
	}
	l.calls++
	if away == nil {
		l.san.asked[call]++
	}
	l.san.mu.Unlock()
	if hung != nil {
		<-hung
	}
	if away == nil {
		away = f()
	}
	l.san.mu.Lock()
	l.calls--
	l.san.mu.Unlock()
	return away
}

func (l *lun) ReadAt(ctx context.Context, p []byte, off int64) error {
	return l.do("read", func() error { return l.san.mem.ReadAt(ctx, p, off) })
}

func (l *lun) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	return l.do("write", func() error { return l.san.mem.WriteAt(ctx, p, off, o) })
}

func (l *lun) Flush(ctx context.Context) error {
	return l.do("flush", func() error { return l.san.mem.Flush(ctx) })
}

func (l *lun) Unmap(ctx context.Context, off, length int64) error {
	return l.do("unmap", func() error { return l.san.mem.Unmap(ctx, off, length) })
}

func (l *lun) WriteZeroes(ctx context.Context, off, length int64, unmap bool) error {
	return l.do("zero", func() error { return l.san.mem.WriteZeroes(ctx, off, length, unmap) })
}

// lines is a log that a test looks at and waits for.
type lines struct {
	t       testing.TB
	mu      sync.Mutex
	all     []string
	changed chan struct{}
}

func newLines(t testing.TB) *lines { return &lines{t: t, changed: make(chan struct{})} }

func (l *lines) logger() zerolog.Logger { return zerolog.New(l) }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(bytes.TrimSpace(p)))
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

// with are the lines that hold all of the words.
func (l *lines) with(words ...string) []string {
	found, _ := l.look(words)
	return found
}

func (l *lines) look(words []string) (found []string, changed chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			found = append(found, line)
		}
	}
	return found, l.changed
}

// wait returns the first line with all of the words, once there is one.
func (l *lines) wait(words ...string) string {
	l.t.Helper()
	for {
		found, changed := l.look(words)
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-changed:
		case <-l.t.Context().Done():
			l.t.Fatalf("no line with %q", words)
		}
	}
}

// expect holds the number of lines with all of the words against what it should be.
func (l *lines) expect(n int, words ...string) {
	l.t.Helper()
	if found := l.with(words...); len(found) != n {
		l.t.Errorf("%d lines with %q, not %d:\n%s", len(found), words, n, strings.Join(found, "\n"))
	}
}

// field is a string of a line.
func field(t testing.TB, line, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("not a log line: %s", line)
	}
	text, _ := fields[name].(string)
	return text
}

// says holds an error against the words that it needs.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error that says %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("it does not say %q: %v", word, err)
		}
	}
}

var errBoom = errors.New("boom")
