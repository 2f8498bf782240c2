package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/gateway/api"
	"forebay/protocols/sock/socktest"
)

// asked is a gateway that notes what it is asked to do, and answers as a test says.
type asked struct {
	mu      sync.Mutex
	all     []string
	refuses string // every operation, if it isn't empty
	goOn    chan struct{}
	dirty   int64
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(api.Status{Volumes: []api.Volume{{Name: "vol0", Writeback: &api.Writeback{}}, {Name: "vol1", Writeback: &api.Writeback{DirtyBytes: a.dirty,
			TimeToDestage: 61.4}}}})
		return
	}
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.all = append(a.all, strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1/")+" "+string(body))
	a.mu.Unlock()
	if a.goOn != nil {
		select {
		case <-a.goOn:
		case <-r.Context().Done():
		}
	}
	if a.refuses != "" {
		http.Error(w, a.refuses, http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func TestOperationsAreWhatTheCommandLineSays(t *testing.T) {
	for line, want := range map[string]string{
		"volume policy vol1 --write back":        `volumes/vol1/policy {"write":"back"}`,
		"volume policy vol1 --write through":     `volumes/vol1/policy {"write":"through"}`,
		"volume policy vol1 --write configured":  `volumes/vol1/policy {}`,
		"volume drain vol1":                      `volumes/vol1/drain {}`,
		"volume drain a/b --wait":                `volumes/a%2Fb/drain {}`,
		"volume pause-writeback vol1":            `volumes/vol1/pause-writeback {"ttl":"30m0s"}`,
		"volume pause-writeback vol1 --ttl 90s":  `volumes/vol1/pause-writeback {"ttl":"1m30s"}`,
		"volume pause-writeback vol1 --ttl 0s":   `volumes/vol1/pause-writeback {"ttl":"0s"}`,
		"volume barrier vol1":                    `volumes/vol1/barrier {"hold":"1m0s"}`,
		"volume barrier vol1 --hold 10m":         `volumes/vol1/barrier {"hold":"10m0s"}`,
		"volume barrier vol1 --hold 0s":          `volumes/vol1/barrier {"hold":"0s"}`,
		"volume recover vol1 --accept-data-loss": `volumes/vol1/recover {"acceptDataLoss":true}`,
		"volume drop-cache vol1":                 `volumes/vol1/drop-cache {}`,
		"tier ram fast --size 2GiB":              `pools/fast/ram {"bytes":2147483648}`,
		"tier flash fast --size 20GiB":           `pools/fast/flash {"bytes":21474836480}`,
		"tier flash fast --remove":               `pools/fast/flash {"remove":true}`,
	} {
		a := new(asked)
		server := httptest.NewServer(a)
		out, errOut, err := run(t, append(strings.Fields(line), "--api", server.URL)...)
		if err != nil || !slices.Equal(a.all, []string{want}) || errOut != "" {
			t.Errorf("%s: %q, %v, %s", line, a.all, err, errOut)
		}
		if told := strings.Contains(out, "recorded as a loss of vol1's data"); told != strings.Contains(line, "recover") || !told && out != "" {
			t.Errorf("%s: it prints %q", line, out)
		}
		a.refuses = "not today"
		if out, _, err := run(t, append(strings.Fields(line), "--api", server.URL)...); err == nil || !strings.HasSuffix(err.Error(), ": not today") || out != "" {
			t.Errorf("%s, which is refused: %v; it prints %q", line, err, out)
		}
		server.Close()
	}
}

// What is not asked for as it has to be is an error, and no gateway is asked.
func TestOperationsThatAreNoneAreNotAskedFor(t *testing.T) {
	a := new(asked)
	server := httptest.NewServer(a)
	defer server.Close()
	for _, c := range []struct{ line, word string }{
		{"volume", ""}, {"tier", ""}, // help
		{"volume drian vol1", `"drian"`},
		{"tier rom fast", `"rom"`},
		{"volume drain", "1 arg"},
		{"volume drain vol1 vol2", "1 arg"},
		{"volume policy vol1", `"write" not set`},
		{"volume policy vol1 --write sideways", `--write "sideways": through, back or configured`},
		{"volume pause-writeback vol1 --ttl long", "ttl"},
		{"volume barrier vol1 --hold 10", "hold"},
		{"volume recover vol1", "--accept-data-loss"},
		{"tier ram fast --size 1XiB", "1XiB"},
	} {
		_, _, err := run(t, append(strings.Fields(c.line), "--api", server.URL)...)
		if (err != nil) != (c.word != "") || err != nil && !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", c.line, err)
		}
	}
	if len(a.all) > 0 {
		t.Errorf("%q", a.all)
	}
}

// withGateway runs a test with a gateway that is asked over pipes, within a bubble.
func withGateway(t *testing.T, test func(t *testing.T, a *asked)) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{dirty: 3 << 20, goOn: make(chan struct{})}
		pipes, ended := socktest.NewPipeListener(), make(chan struct{})
		server, was := &http.Server{Handler: a}, http.DefaultTransport
		http.DefaultTransport = &http.Transport{DialContext: pipes.Dial, DisableKeepAlives: true}
		go func() {
			defer close(ended)
			_ = server.Serve(pipes)
		}()
		test(t, a)
		synctest.Wait() // for what has been left behind
		http.DefaultTransport = was
		_ = server.Close()
		<-ended
	})
}

// With --wait a drain tells every second what is left, and ends when it is done; without, when it has been asked for.
func TestADrainTellsWhatIsLeftWhileItIsWaitedFor(t *testing.T) {
	withGateway(t, func(t *testing.T, a *asked) {
		began := time.Now()
		time.AfterFunc(2500*time.Millisecond, func() { close(a.goOn) })
		_, errOut, err := run(t, "volume", "drain", "vol1", "--wait", "--api", "http://gateway")
		if err != nil || time.Since(began) != 2500*time.Millisecond || errOut != strings.Repeat("3.0 MiB left, about 1m1s\n", 2) {
			t.Errorf("after %v: %v, %q", time.Since(began), err, errOut)
		}
	})
	withGateway(t, func(t *testing.T, a *asked) {
		began := time.Now()
		if _, errOut, err := run(t, "volume", "drain", "vol1", "--api", "http://gateway"); err != nil || time.Since(began) != time.Second || errOut != "" {
			t.Errorf("after %v: %v, %q", time.Since(began), err, errOut)
		}
		synctest.Wait()
		if !slices.Equal(a.all, []string{"volumes/vol1/drain {}"}) {
			t.Errorf("%q", a.all)
		}
		close(a.goOn)
	})
}

// That nobody has refused it doesn't mean that somebody has been asked.
func TestADrainThatNoGatewayIsAskedForFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was, over := http.DefaultTransport, make(chan struct{})
		defer func() { http.DefaultTransport = was }()
		defer close(over)
		http.DefaultTransport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over // as where packets are dropped
			return nil, net.ErrClosed
		}}
		if _, _, err := run(t, "volume", "drain", "vol1", "--api", "http://gateway"); err == nil || !strings.Contains(err.Error(), "no gateway answers") {
			t.Error(err)
		}
	})
}

// A drain that is called off ends at once.
func TestADrainThatIsCalledOffEnds(t *testing.T) {
	withGateway(t, func(t *testing.T, a *asked) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := root()
		cmd.SetArgs([]string{"volume", "drain", "vol1", "--wait", "--api", "http://gateway"})
		cmd.SetErr(io.Discard)
		began := time.Now()
		if err := cmd.ExecuteContext(ctx); err == nil || time.Since(began) != time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// How long it takes is said where it is known, and never that it takes no time.
func TestTheTimeThatIsLeftIsToldIfItIsKnown(t *testing.T) {
	for seconds, want := range map[float64]string{0: "", 0.06: ", about 1s", 61.4: ", about 1m1s"} {
		if got := about(seconds); got != want {
			t.Errorf("%v: %q", seconds, got)
		}
	}
}
