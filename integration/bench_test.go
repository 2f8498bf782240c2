package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// row is one line of the table that `make bench` prints.
type row struct {
	what    string
	command string
	bar     *bar // nil: for information
	measure func(*bed) figure
}

// figure is what was measured: for people, and the number that the bar is held against. peer is empty where there is none.
type figure struct {
	ours, peer string
	value      float64
	unit       string // of value
}

// bar is a promise of DESIGN 11.
type bar struct {
	least bool // the value is to be at least limit, else at most
	limit float64
}

func atLeast(limit float64) *bar { return &bar{true, limit} }
func atMost(limit float64) *bar  { return &bar{false, limit} }

func (b *bar) String() string {
	switch {
	case b == nil:
		return ""
	case b.least:
		return fmt.Sprintf(">= %g", b.limit)
	}
	return fmt.Sprintf("<= %g", b.limit)
}

// judge says whether a value meets the bar.
func (b *bar) judge(v float64) string {
	switch {
	case b == nil:
		return ""
	case b.least && v >= b.limit, !b.least && v <= b.limit:
		return "met"
	}
	return "MISSED"
}

// TestBench measures beside tgtd and nfs-ganesha, and beside an array reached directly, in turns, and prints one table. It fails only where something can't be measured: a bar that is missed is
// shown.
func TestBench(t *testing.T) {
	if os.Getenv("FOREBAY_BENCH") == "" {
		t.Skip("performance is measured by `make bench`")
	}
	need(t, "tgtd", "tgtadm", "iscsi-perf", "qemu-img", "ganesha.nfsd")
	b := newBed(t)
	rows := slices.Concat(benchRows, sanRows, nfsRows, backRows, []row{drainRow}, flashRows)
	var table bytes.Buffer
	fmt.Fprint(&table, environment())
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "| what\t| forebay\t| beside\t| value\t| bar\t| verdict\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		f := r.measure(b)
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %.4g %s\t| %v\t| %s\t|\n", r.what, f.ours, f.peer, f.value, f.unit, r.bar, r.bar.judge(f.value))
		t.Logf("%s: %s, beside %s: %.4g %s %s", r.what, f.ours, f.peer, f.value, f.unit, r.bar.judge(f.value))
	}
	w.Flush()
	fmt.Fprintln(&table, "\nCommands:")
	for _, r := range rows {
		fmt.Fprintf(&table, "- %s: `%s`\n", r.what, r.command)
	}
	publish(t, table.String())
}

// publish prints the table and leaves it in build/bench.md.
func publish(t *testing.T, table string) {
	t.Helper()
	path := filepath.Join(repositoryRoot(t), "build", "bench.md")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Print("\n", table, "\n")
}

// environment says what the figures were measured on and with.
func environment() string {
	first := func(name string, args ...string) string {
		out, _ := exec.Command(name, args...).CombinedOutput() // some print their version and fail
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return line
	}
	memory := ""
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		line, _, _ := strings.Cut(string(text), "\n")
		memory = strings.Join(strings.Fields(line)[1:], " ")
	}
	return fmt.Sprintf("Machine: %d cores, %s of memory, Linux %s. %s; forebay %s; tgtd %s; libiscsi %s; nfs-ganesha %s; %s.\nIOPS, ratios and CPU are medians of %d turns of each.\n\n",
		runtime.NumCPU(), memory, first("uname", "-r"), runtime.Version(), first("git", "describe", "--always", "--dirty"),
		first("tgtd", "-V"), first("dpkg-query", "-W", "-f=${Version}", "libiscsi-bin"), first("dpkg-query", "-W", "-f=${Version}", "nfs-ganesha"), first("qemu-img", "--version"), benchRounds)
}
