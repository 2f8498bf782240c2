package etcd_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/etcd"
)

// The test runs itself as a process that may write no more to its files while the server is up, as on a full disk.
func TestAServerThatCannotWriteFailsAndTheProcessGoesOn(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("FOREBAY_ETCD_FULL"); dir != "" {
		e := start(t, dir)
		signal.Ignore(unix.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, new(unix.Rlimit)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stored := make(chan error)
		go func() {
			_, err := e.Store().NAA(ctx, "vol1")
			stored <- err
		}()
		t.Log("told: ", <-e.Failed())
		cancel()
		if err := <-stored; err == nil {
			t.Fatal("it was stored")
		}
		if err := e.Close(); err == nil || !strings.Contains(err.Error(), "does not stop") {
			t.Fatal(err)
		}
		os.Exit(7)
	}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "FOREBAY_ETCD_FULL="+filepath.Join(t.TempDir(), "etcd"))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(string(out), "file too large") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	if err := start(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	wals, err := filepath.Glob(filepath.Join(dir, "member/wal/*.wal"))
	if err != nil || len(wals) == 0 {
		t.Fatal(wals, err)
	}
	for _, wal := range wals {
		if err := os.WriteFile(wal, []byte(strings.Repeat("garbage ", 1<<10)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: dir, Log: zerolog.Nop()}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("it does not say what is wrong where: %v", err)
	}
}
