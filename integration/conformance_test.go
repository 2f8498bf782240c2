package integration

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// beyond are the suites of libiscsi's conformance program whose commands are not offered yet or need hardware (a medium to eject, a
// device to sanitize, a second path). They don't run.
var beyond = regexp.MustCompile(`^(Prin|Prout|Reserve6|CompareAndWrite|ExtendedCopy|ReceiveCopyResults|Sanitize|NoMedia|PreventAllow|Multipath)`)

// idle are the remarks of tests that skip themselves for what the device is, not for what it lacks: one logical block a physical one, and
// the WSNZ bit, by which WRITE SAME refuses a length of zero.
var idle = regexp.MustCompile(`LBPPB < 2|does not support 0-blocks`)

// mustRun are the suites in which any other test that skips itself counts as failed.
var mustRun = regexp.MustCompile(`^(Read\d|Write1|WriteSame|ReadCapacity|Inquiry|Unmap|Verify|ReportSupportedOpcodes|iSCSI)`)

func TestTargetPassesLibiscsisConformanceSuites(t *testing.T) {
	need(t, "iscsi-test-cu")
	suites := conformanceSuites(t)
	if len(suites) < 35 {
		t.Fatalf("the program has only the suites %v", suites)
	}
	for name, blockSize := range map[string]int{"512-byte blocks": 512, "4K blocks": 4096} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, settings{blockSize: blockSize, disk: "1GiB"})
			ran := 0
			for _, suite := range suites {
				ran += runSuite(t, suite, g.url())
			}
			if ran < 150 {
				t.Errorf("only %d tests ran", ran)
			}
		})
	}
}

// conformanceSuites lists what to run as FAMILY.SUITE. The families SCSI and iSCSI have everything that is in ALL.
func conformanceSuites(t *testing.T) []string {
	t.Helper()
	var suites []string
	for line := range strings.Lines(command(t, "iscsi-test-cu", "--list")) {
		parts := strings.Split(strings.TrimSpace(line), ".")
		if len(parts) >= 2 && (parts[0] == "SCSI" || parts[0] == "iSCSI") && !beyond.MatchString(parts[1]) {
			suites = append(suites, parts[0]+"."+parts[1])
		}
	}
	slices.Sort(suites)
	return slices.Compact(suites)
}

// runSuite runs one suite in a process of its own: a test that skips itself may leave the program's PDUs manipulated for all that
// come after it (CompareAndWrite.InvalidDataOutSize of version 1.19 does).
func runSuite(t *testing.T, suite, url string) (tests int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "iscsi-test-cu", "--dataloss", "--verbose", "--test="+suite, url)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%.4000s", suite, err, out)
		return 0
	}
	verdicts := parseSuite(string(out))
	if len(verdicts) == 0 {
		t.Errorf("%s ran no test:\n%.4000s", suite, out)
	}
	for _, v := range verdicts {
		v.judge(t)
	}
	return len(verdicts)
}

// verdict is one test of the program as it printed it.
type verdict struct {
	suite, test     string
	failed, skipped bool
	text            string
}

func (v verdict) judge(t *testing.T) {
	t.Helper()
	switch {
	case v.failed:
		t.Errorf("%s.%s failed:%.4000s", v.suite, v.test, v.text)
	case v.skipped && mustRun.MatchString(v.suite) && !idle.MatchString(v.text):
		t.Errorf("%s.%s did not run:%.1000s", v.suite, v.test, v.text)
	}
}

// parseSuite reads CUnit's verbose output: "Suite: S", then "  Test: T ..." with its remarks, then its verdict: "passed" at the end of the
// test's own words, behind which the suite's may follow, or "FAILED" and the reasons.
func parseSuite(out string) []verdict {
	var all []verdict
	var suite string
	var test *verdict // whose verdict has not come
	for line := range strings.Lines(out) {
		if s, ok := strings.CutPrefix(line, "Suite: "); ok {
			suite, test = strings.TrimSpace(s), nil
			continue
		}
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "Test: "); ok {
			name, remarks, _ := strings.Cut(rest, " ...")
			all = append(all, verdict{suite: suite, test: name, failed: true}) // until it passes
			test, line = &all[len(all)-1], remarks+"\n"
		}
		if test == nil {
			continue
		}
		own, _, passed := strings.Cut(line, "passed")
		test.text += own
		test.skipped = test.skipped || strings.Contains(own, "[SKIPPED]")
		if passed {
			test.failed = false
			test = nil
		}
	}
	return all
}
