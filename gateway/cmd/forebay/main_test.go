package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is the program too, for tests of its signals and exit status.
func TestMain(m *testing.M) {
	if os.Getenv("FOREBAY_TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run runs a command line within this process.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func TestCommandLinesThatAreWrongAreRefused(t *testing.T) {
	for _, c := range []struct{ line, word string }{
		{"nonsense", "nonsense"},
		{"config nonsense", "nonsense"},
		{"config check", "at least 1"},
		{"gateway more", "more"},
		{"gateway --config /nowhere/forebay.yaml", "/nowhere/forebay.yaml"},
		{"gateway --nonsense", "nonsense"},
		{"status -o yaml", `-o "yaml": table or json`},
		{"status more", "more"},
		{"version more", "more"},
		{"bench", "1 arg"},
		{"volume recover vol1", "--accept-data-loss"},
		{"tier ram fast", `"size" not set`},
		{"tier ram fast --size much", `"much" is not a size`},
		{"tier flash fast", "either --size or --remove"},
		{"tier flash fast --remove --size 1GiB", "either --size or --remove"},
		{"tier flash fast --size much", `"much" is not a size`},
	} {
		if _, _, err := run(t, strings.Fields(c.line)...); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", c.line, err)
		}
	}
}

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	out, _, err := run(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"bench", "config", "gateway", "inspect", "status", "tier", "version", "volume"} {
		if !strings.Contains(out, "\n  "+word) {
			t.Errorf("the help lacks %s", word)
		}
		help, _, err := run(t, word, "--help")
		if err != nil || !strings.Contains(help, "Usage:\n  forebay "+word) {
			t.Errorf("%s: %v\n%s", word, err, help)
		}
	}
	if out, _, err := run(t, "config"); err != nil || !strings.Contains(out, "check") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestVersion(t *testing.T) {
	for _, line := range []string{"version", "--version"} {
		if out, _, err := run(t, line); err != nil || out != "forebay unknown\n" {
			t.Errorf("%s: %v, %q", line, err, out)
		}
	}
}

const good = `gateway:
  name: gw-a
  data-dir: data
  listen: {iscsi: ["127.0.0.1:0"], api: "127.0.0.1:0"}
  tiers:
    - {pool: fast, ram: 4MiB}
pools:
  - {name: fast}
arrays:
  - name: disk1
    file: {gateway: gw-a, path: disk.img, size: 16MiB}
volumes:
  - name: vol1
    from: {array: disk1}
    pool: fast
    policy: {on-array-loss: hold 10m}
    iscsi: {target: "iqn.2026-11.example:vol1"}
`

// file writes a file to a folder of the test and returns its path.
func file(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigCheck(t *testing.T) {
	dir := t.TempDir()
	fine := file(t, dir, "fine.yaml", good)
	withCHAP := strings.Replace(good, `vol1"}`, `vol1", chap: {user: esx, secret-file: secret}}`, 1)
	file(t, dir, "secret", "a secret of the host\n")
	warned := file(t, dir, "warned.yaml", withCHAP)
	wrong := file(t, dir, "wrong.yaml", strings.NewReplacer("ram: 4MiB", "ram: 4KiB", "pool: fast\n", "pool: slow\n").Replace(good))
	for name, c := range map[string]struct {
		files    []string
		out, err []string // lines begin with
		fails    bool
	}{
		"a good file":   {[]string{fine}, []string{fine + ": fine"}, nil, false},
		"a warning":     {[]string{warned}, []string{warned + ": fine"}, []string{"warning: " + warned + ":17:"}, false},
		"a wrong file":  {[]string{wrong}, nil, []string{wrong + ":6:", wrong + ":15:"}, true},
		"one of three":  {[]string{wrong, fine, warned}, []string{fine, warned}, []string{wrong + ":6:", wrong + ":15:", "warning: "}, true},
		"no such file":  {[]string{filepath.Join(dir, "none.yaml")}, nil, []string{"read the configuration: "}, true},
		"a folder":      {[]string{dir}, nil, []string{"read the configuration: "}, true},
		"the same":      {[]string{fine, fine}, []string{fine, fine}, nil, false},
		"last is wrong": {[]string{fine, wrong}, []string{fine}, []string{wrong + ":6:", wrong + ":15:"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, err := run(t, append([]string{"config", "check"}, c.files...)...)
			if (err != nil) != c.fails || err != nil && err != errReported { //nolint:errorlint // it is the very value
				t.Error(err)
			}
			begin(t, out, c.out)
			begin(t, errOut, c.err)
		})
	}
}

// begin holds the beginnings of lines against what they should be.
func begin(t *testing.T, text string, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if text == "" {
		lines = nil
	}
	ok := len(lines) == len(want)
	for i := 0; ok && i < len(lines); i++ {
		ok = strings.HasPrefix(lines[i], want[i])
	}
	if !ok {
		t.Errorf("%q, and not %q", lines, want)
	}
}

// A flag that nothing comes of is a mistake, and is told.
func TestBenchRefusesFlagsThatItWouldNotHeed(t *testing.T) {
	for _, c := range [][]string{{"--depth 0: leave it out", "--depth", "0"}, {"--sessions 0", "--sessions=0"}, {"--duration 0", "--duration", "0s"}, {"--block-size 0", "--block-size", "0"},
		{"--rounds goes with --vs", "--rounds", "3"}, {"--vs-pid goes with --vs", "--vs-pid", "1"}, {"--rounds 0", "--rounds", "0", "--vs", "iscsi://127.0.0.1:1/iqn.a/0"}} {
		_, _, err := run(t, append([]string{"bench", "iscsi://127.0.0.1:1/iqn.a/0"}, c[1:]...)...)
		if err == nil || !strings.Contains(err.Error(), c[0]) {
			t.Errorf("%q: %v", c[1:], err)
		}
	}
}
