package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// forebay is the path of the binary under test, built once for all tests.
var forebay string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "forebay-integration-")
	if err == nil {
		forebay = filepath.Join(dir, "forebay")
		err = build(forebay)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = flag.Set("test.parallel", "4") // whoever runs beside others waits for time to pass, mostly, and not for a core
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(to string) error {
	cmd := exec.Command("go", "build", "-o", to, "forebay/gateway/cmd/forebay")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// soak says whether the long forms are asked for.
func soak() bool { return os.Getenv("FOREBAY_SOAK") != "" }

// need skips nothing: a program that the tests drive and that is missing fails the test with the way to get it.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is missing: run `make deps`", p)
		}
	}
}
