package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// program is this program in a process of its own.
type program struct {
	*exec.Cmd
	t     *testing.T
	lines chan string // of standard error
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0], args...), t: t, lines: make(chan string, 1024)}
	p.Env = append(os.Environ(), "FOREBAY_TEST_MAIN=1")
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	return p
}

// line waits for one with all of the words.
func (p *program) line(words ...string) string {
	p.t.Helper()
	for line := range p.lines {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return line
		}
	}
	p.t.Fatalf("it ended without a line with %q", words)
	return ""
}

// ended waits for the end and returns the exit status, or the signal that was it.
func (p *program) ended() (code int, by syscall.Signal) {
	for range p.lines { // to the end of them, before Wait closes the pipe
	}
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	status, _ := p.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return -1, status.Signal()
	}
	return p.ProcessState.ExitCode(), 0
}

func (p *program) signal() {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// startGateway starts one that logs for machines, and waits until it serves. dir has its files.
func startGateway(t *testing.T, dir string) (p *program, portal string) {
	t.Helper()
	p = start(t, "gateway", "--config", file(t, dir, "forebay.yaml", good))
	for serves := false; portal == "" || !serves; { // in either order
		line := p.line()
		serves = serves || strings.Contains(line, "volume serves")
		if strings.Contains(line, `"listener":"iscsi"`) && strings.Contains(line, `"listening"`) {
			_, rest, _ := strings.Cut(line, `"address":"`)
			portal, _, _ = strings.Cut(rest, `"`)
		}
	}
	return p, portal
}

func TestASignalEndsAGatewayInOrder(t *testing.T) {
	p, _ := startGateway(t, t.TempDir())
	p.signal()
	p.line(`"message":"ended"`)
	if code, by := p.ended(); code != 0 || by != 0 {
		t.Error(code, by)
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	dir := t.TempDir()
	p, portal := startGateway(t, dir)
	s, err := initiator.Dial(t.Context(), initiator.Options{Portal: portal, Target: "iqn.2026-11.example:vol1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Ready(t.Context(), 0), os.Remove(filepath.Join(dir, "disk.img"))); err != nil {
		t.Fatal(err)
	}
	flush := &initiator.Command{CDB: [16]byte{0x35}, Done: func(*initiator.Command) {}} // which is held: the array has gone
	if err := s.Submit(flush); err != nil {
		t.Fatal(err)
	}
	p.line("array lost")
	p.signal()
	p.line("ending")
	began := time.Now()
	again := time.NewTicker(20 * time.Millisecond) // the first may still be being taken
	defer again.Stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if code, by := p.ended(); by != syscall.SIGTERM {
			t.Errorf("it ended with %d, %v", code, by)
		}
	}()
	for {
		select {
		case <-again.C:
			_ = p.Process.Signal(syscall.SIGTERM)
			continue
		case <-over:
		}
		break
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	s.Abandon()
}

func TestAGatewayThatCannotStartExitsWith1(t *testing.T) {
	dir := t.TempDir()
	broken := strings.Replace(good, "pool: fast\n    policy", "pool: slow\n    policy", 1)
	for name, c := range map[string]struct {
		config string
		says   string
	}{
		"no configuration":          {"", "empty"},
		"a mistake":                 {broken, `no pool "slow"`},
		"no tier":                   {strings.Replace(broken, "  - {name: fast}\n", "  - {name: fast}\n  - {name: slow}\n", 1), `"level":"error"`},
		"no tier, told to somebody": {strings.Replace(broken, "  - {name: fast}\n", "  - {name: fast}\n  - {name: slow}\n", 1) + "# console", "forebay: volume vol1"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasSuffix(c.config, "# console") {
				c.config = strings.Replace(c.config, "  tiers:", "  log: {format: console}\n  tiers:", 1)
			}
			p := start(t, "gateway", "--config", file(t, dir, "forebay.yaml", c.config))
			p.line(c.says)
			if code, by := p.ended(); code != 1 {
				t.Error(code, by)
			}
		})
	}
}
