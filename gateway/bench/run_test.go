package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

const testSize = 1 << 20

func options(x *initiatortest.Target) Options {
	return Options{Target: Endpoint{URL: x.URL()}, Random: true, Read: 50, Depth: 4, Duration: 100 * time.Millisecond}
}

// ran is a run that is long enough to have what the test is about, of which a busy machine gets little done in a moment. What it lacks after all is the test's to say.
func ran(t *testing.T, o Options, enough func(Report) bool) Report {
	t.Helper()
	for ; ; o.Duration *= 2 {
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if enough(r) || o.Duration > 10*time.Second {
			return r
		}
	}
}

// mixed says whether a run has both read and written.
func mixed(r Report) bool { return r.Read != nil && r.Write != nil }

// verified is mixed of one that verifies.
func verified(r Report) bool { return r.Verify.Reads > 0 && r.Verify.Writes > 0 }

func TestLoadIsReported(t *testing.T) {
	o := options(initiatortest.New(t, testSize))
	other := Endpoint{URL: initiatortest.New(t, testSize).URL()}
	o.Versus, o.Rounds, o.WarmUp, o.Sessions = &other, 2, true, 2
	r := ran(t, o, mixed)
	if r.Operations == 0 || !mixed(r) || r.All.P50 <= 0 || r.Versus.Operations == 0 || r.Versus.IOPSRatio <= 0 || r.Versus.P50Ratio <= 0 {
		t.Fatalf("%+v", r)
	}
	var table, asJSON bytes.Buffer
	if err := errors.Join(r.Table(&table), r.JSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	var again Report
	if err := json.Unmarshal(asJSON.Bytes(), &again); err != nil || again.Operations != r.Operations {
		t.Errorf("JSON: %v\n%s", err, asJSON.String())
	}
	for _, word := range []string{"IOPS", "p99.9", "read", "write", "versus all", "ratio, median of 2 rounds"} {
		if !strings.Contains(table.String(), word) {
			t.Errorf("the table lacks %q:\n%s", word, table.String())
		}
	}
}

func TestReadsLeaveTheTargetAlone(t *testing.T) {
	x := initiatortest.New(t, testSize)
	o := options(x)
	o.Read, o.WarmUp = 100, true
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	x.Change(func(p []byte) {
		if !bytes.Equal(p, make([]byte, testSize)) {
			t.Error("something was written")
		}
	})
}

func TestVerifyFindsNothingWhereNothingIsWrong(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"shared":      func(o *Options) { o.Shared = true },
		"parts":       func(*Options) {},
		"fixed size":  func(o *Options) { o.Shared, o.BlockSize = true, 8192 },
		"somewhere":   func(o *Options) { o.Shared, o.Offset, o.WorkingSet = true, 100*512, 65*512 },
		"digests too": func(o *Options) { o.Shared, o.Digests = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(initiatortest.New(t, testSize))
			o.Verify, o.Sessions = true, 4
			change(&o)
			if r := ran(t, o, verified); r.Verify.Wrong != 0 || !verified(r) {
				t.Errorf("%+v", r.Verify)
			}
		})
	}
}

// The lies begin after some truths.
func TestVerifyFindsWhatATargetDoesWrong(t *testing.T) {
	const after = 20
	for name, lie := range map[string]func(c *initiatortest.Conn, h iscsi.Header, data []byte){
		"a write that is acknowledged and forgotten": func(c *initiatortest.Conn, h iscsi.Header, _ []byte) { c.Status(h, 0, nil) },
		"a write that lands one sector too far": func(c *initiatortest.Conn, h iscsi.Header, data []byte) {
			if cdb := h.CDB(); be.Uint64(cdb[2:])+uint64(be.Uint32(cdb[10:])) < testSize/512 {
				cdb[9]++
			}
			c.Handle(h, data)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := initiatortest.New(t, testSize)
			var writes atomic.Int32
			x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, data []byte) bool {
				if h.Opcode() != iscsi.OpSCSICommand || h.CDB()[0] != 0x8a || int(h.ExpectedLength()) != len(data) || writes.Add(1) < after {
					return false
				}
				lie(c, h, data)
				return true
			}
			o := options(x)
			o.Verify, o.Shared, o.Sessions, o.Duration = true, true, 2, 2*time.Second // it ends when enough is wrong
			expectWrong(t, o, "expected ")
		})
	}
}

func expectWrong(t *testing.T, o Options, sample string) {
	t.Helper()
	r, err := Run(t.Context(), o)
	if !errors.Is(err, ErrWrongData) || r.Verify.Wrong == 0 || len(r.Verify.Samples) == 0 || !strings.Contains(r.Verify.Samples[0], sample) {
		t.Errorf("%+v, %v", r.Verify, err)
	}
}

func TestVerifyFindsDamageOnTheMedium(t *testing.T) {
	x := initiatortest.New(t, testSize)
	o := options(x)
	o.Verify, o.Read, o.Duration = true, 100, 200*time.Millisecond // nothing is overwritten
	var reads atomic.Int32
	x.Intercept = func(_ *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() == iscsi.OpSCSICommand && h.CDB()[0] == 0x88 && reads.Add(1) == 3 {
			x.Change(func(p []byte) { copy(p[512*100:512*101], p[512*200:]) })
		}
		return false
	}
	expectWrong(t, o, "sector 100 (byte 51200): version 1 of sector 200, which belongs elsewhere")
}

func TestLostConnectionsAreSurvivedWhenAsked(t *testing.T) {
	for _, verify := range []bool{false, true} {
		x := initiatortest.New(t, testSize)
		var commands atomic.Int32
		x.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
			if h.Opcode() == iscsi.OpSCSICommand && commands.Add(1)%40 == 0 {
				x.Drop()
				return true
			}
			return false
		}
		o := options(x)
		o.Verify, o.Shared, o.Reconnect, o.Sessions, o.Duration = verify, verify, true, 2, 400*time.Millisecond
		if r := ran(t, o, reconnected); r.Reconnects == 0 {
			t.Errorf("verify %v: no reconnects", verify)
		}
	}
}

func reconnected(r Report) bool { return r.Reconnects > 0 }

func TestErrorsAreOneClearLine(t *testing.T) {
	x := initiatortest.New(t, testSize)
	refused := initiatortest.New(t, testSize)
	refused.CHAP = &iscsi.Credentials{User: "u", Secret: "s"}
	gone := initiatortest.New(t, testSize)
	gone.Intercept = func(c *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() == iscsi.OpSCSICommand && h.CDB()[0] == 0x88 {
			gone.Drop()
		}
		return false
	}
	for want, change := range map[string]func(o *Options){
		"connection refused":      func(o *Options) { o.Target.URL = "iscsi://127.0.0.1:1/iqn.a/0" },
		"no CHAP user is given":   func(o *Options) { o.Target.URL = refused.URL() },
		"does not fit":            func(o *Options) { o.WorkingSet = testSize + 512 },
		"connection lost":         func(o *Options) { o.Target.URL, o.Read = gone.URL(), 100 },
		"zipf must be greater":    func(o *Options) { o.Zipf = 0.9 },
		"depth must be":           func(o *Options) { o.Depth = -1 },
		"block-size must be":      func(o *Options) { o.BlockSize = 100 },
		"shared goes with verify": func(o *Options) { o.Shared = true },
		"no part for each":        func(o *Options) { o.Verify, o.Sessions, o.WorkingSet = true, 9, 4096 },
		"CPU time of process":     func(o *Options) { o.Target.PID = 1 << 30 },
	} {
		o := options(x)
		change(&o)
		_, err := Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAnInterruptedRunReportsWhatItHas(t *testing.T) {
	x := initiatortest.New(t, testSize)
	o := options(x)
	o.Duration = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var commands atomic.Int32
	x.Intercept = func(_ *initiatortest.Conn, h iscsi.Header, _ []byte) bool {
		if h.Opcode() == iscsi.OpSCSICommand && commands.Add(1) == 100 {
			cancel()
		}
		return false
	}
	if r, err := Run(ctx, o); err != nil || r.Operations == 0 {
		t.Errorf("%d operations, %v", r.Operations, err)
	}
}

func TestFlagsBecomeOptions(t *testing.T) {
	cmd := Command()
	f := &flags{}
	cmd.ResetFlags()
	f.define(cmd.Flags())
	if err := cmd.ParseFlags([]string{"--verify", "--block-size", "8KiB", "--working-set", "1MiB", "--vs", "iscsi://b/i/0", "--vs-pid", "7"}); err != nil {
		t.Fatal(err)
	}
	o, err := f.options("iscsi://a/i/0", cmd.Flags().Changed("read"))
	if err != nil || o.Read != 50 || o.BlockSize != 8192 || o.WorkingSet != 1<<20 || o.Versus.PID != 7 || !o.Random {
		t.Errorf("%+v, %v", o, err)
	}
	f.mode = "sideways"
	if _, err := f.options("iscsi://a/i/0", false); err == nil {
		t.Error("a mode that there is not was taken")
	}
}
