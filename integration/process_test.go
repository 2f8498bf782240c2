package integration

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program under test whose output lines can be waited for. It dies with its test.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has been waited for
	err  error         // how it ended; read after done

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with every line
}

func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(name, args...), done: make(chan struct{}), more: make(chan struct{})}
	// The process must not outlive the test binary, however that ends.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go p.collect(out)
	go func() {
		p.err = p.cmd.Wait()
		in.Close()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.output())
		}
	})
	return p
}

func (p *process) collect(r io.Reader) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scan.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r)
}

// waitFor returns the first line, now or later, that contains all the words.
func (p *process) waitFor(within time.Duration, words ...string) string {
	p.t.Helper()
	deadline := time.After(within)
	for seen := 0; ; {
		p.mu.Lock()
		lines, more := p.lines[seen:], p.more
		p.mu.Unlock()
		for _, line := range lines {
			if containsAll(line, words) {
				return line
			}
		}
		seen += len(lines)
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("%s ended (%v) before it said %q:\n%s", p.cmd.Path, p.err, words, p.output())
		case <-deadline:
			p.t.Fatalf("%s did not say %q within %v:\n%s", p.cmd.Path, words, within, p.output())
		}
	}
}

func containsAll(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	for _, line := range p.lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}

const sigterm = syscall.SIGTERM

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// wait returns how the process ended, and fails the test if it does not end in time.
func (p *process) wait(within time.Duration) error {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.t.Fatalf("%s did not end within %v:\n%s", p.cmd.Path, within, p.output())
	}
	return p.err
}

// command runs a program to its end and returns what it printed.
func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// eventually looks again and again at a state outside this process that announces itself in no other way.
func eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(within); !holds(); {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}
