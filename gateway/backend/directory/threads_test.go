package directory

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// The first thread of a process can't end: Go parks it. So no test runs on it.
func init() { runtime.LockOSThread() }

func testThreads(t *testing.T, log zerolog.Logger) *threads {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ts, err := newThreads(log)
	if err != nil {
		t.Fatal(err)
	}
	return &ts
}

// statusOfThread is what /proc says of the thread: the ids are real, effective, saved and that of file systems.
func statusOfThread(t *testing.T, path string) map[string]string {
	text, err := os.ReadFile(filepath.Join(path, "status"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil // it has ended
	}
	if err != nil {
		t.Error(err)
	}
	fields := make(map[string]string)
	for _, line := range strings.Split(string(text), "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

// checkThreads makes sure that no thread of the process is somebody else, and returns how many there are.
func checkThreads(t *testing.T) int {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	own := statusOfThread(t, "/proc/self")
	for _, task := range tasks {
		now := statusOfThread(t, task)
		for _, field := range []string{"Uid", "Gid", "Groups", "CapEff", "CapPrm"} {
			if now != nil && (now[field] != own[field] || field == "Uid" && now[field] != "0 0 0 0") {
				t.Errorf("%s is %s %q", task, field, now[field])
			}
		}
	}
	return len(tasks)
}

func TestAThreadActsForTheCaller(t *testing.T) {
	ts := testThreads(t, zerolog.Nop())
	c := &nfs.Caller{UID: 1000, GID: 100, GIDs: []uint32{7, 5}}
	err := ts.as(c, func() error {
		now := statusOfThread(t, "/proc/thread-self")
		if now["Uid"] != "0 0 0 1000" || now["Gid"] != "0 0 0 100" || now["Groups"] != "5 7" {
			t.Errorf("%q, %q, %q", now["Uid"], now["Gid"], now["Groups"])
		}
		mine, err := capabilitiesOfThread()
		for _, c := range rootsOnly {
			if mine[c/32].Effective&(1<<(c%32)) != 0 {
				t.Errorf("it has capability %d", c)
			}
		}
		return errors.Join(err, unix.ENOTEMPTY)
	})
	if !errors.Is(err, unix.ENOTEMPTY) {
		t.Error(err)
	}
	for _, c := range []*nfs.Caller{{UID: noID, GID: 1}, {UID: 1, GID: noID}} {
		if err := ts.as(c, func() error { t.Errorf("%+v is served", c); return nil }); !errors.Is(err, unix.EACCES) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	checkThreads(t)
}

func TestRootKeepsItsPowersWithAnotherGroup(t *testing.T) {
	ts := testThreads(t, zerolog.Nop())
	err := ts.as(&nfs.Caller{GID: 9}, func() error {
		now := statusOfThread(t, "/proc/thread-self")
		if now["Uid"] != "0 0 0 0" || now["Gid"] != "0 0 0 9" || now["CapEff"] != statusOfThread(t, "/proc/self")["CapEff"] {
			t.Errorf("%q, %q, %q", now["Uid"], now["Gid"], now["CapEff"])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	checkThreads(t)
}

func TestNoThreadStaysSomebodyElse(t *testing.T) {
	ts := testThreads(t, zerolog.Nop())
	var group sync.WaitGroup
	for user := range 16 {
		c := &nfs.Caller{UID: uint32(user), GID: uint32(user + 100), GIDs: []uint32{uint32(user + 200)}}
		group.Go(func() {
			for range 200 {
				if err := ts.as(c, func() error { runtime.Gosched(); return nil }); err != nil {
					t.Error(err)
				}
				if uid, _ := unix.SetfsuidRetUid(-1); uid != 0 {
					t.Errorf("outside it is %d", uid)
				}
			}
		})
	}
	group.Wait()
	checkThreads(t)
}

// A thread that gives its right to change back away is not used again.
func TestAThreadThatCantGoBackEnds(t *testing.T) {
	var log bytes.Buffer
	ts := testThreads(t, zerolog.New(&log))
	var thread string
	err := ts.as(&nfs.Caller{UID: 1000, GID: 1000}, func() error {
		thread = fmt.Sprintf("/proc/self/task/%d", unix.Gettid())
		return capabilities{}.take()
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "given up") {
		t.Errorf("logged: %s", &log)
	}
	for {
		if _, err := os.Stat(thread); err != nil {
			break
		}
		runtime.Gosched() // it ends after the call
	}
	checkThreads(t)
}

func BenchmarkAs(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	ts, err := newThreads(zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	c := &nfs.Caller{UID: 1001, GID: 100, GIDs: []uint32{5, 6}}
	for b.Loop() {
		_ = ts.as(c, func() error { return nil })
	}
}
