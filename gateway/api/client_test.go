package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/gateway/api"
)

func TestTheClientReadsWhatTheServerSays(t *testing.T) {
	server := httptest.NewServer(api.Handler(source{status: sample}, prometheus.NewRegistry()))
	defer server.Close()
	for _, url := range []string{server.URL, server.URL + "/", strings.TrimPrefix(server.URL, "http://")} {
		if got, err := api.NewClient(url).Status(t.Context()); err != nil || !reflect.DeepEqual(got, sample) {
			t.Errorf("%s: %v, %+v", url, err, got)
		}
	}
}

func TestTheClientSaysWhatIsWrong(t *testing.T) {
	answer := func(f http.HandlerFunc) string {
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		return server.URL
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct {
		url   string
		words []string
	}{
		"nobody":        {gone.URL, []string{"no gateway answers at " + gone.URL, "--api", "FOREBAY_API"}},
		"no address":    {"http://[::1", []string{"address", "[::1"}},
		"another thing": {answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }), []string{"not a gateway's answer"}},
		"a refusal": {
			answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not today", http.StatusForbidden) }),
			[]string{"/api/v1/status", "403", "not today"},
		},
	} {
		_, err := api.NewClient(c.url).Status(t.Context())
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: it does not say %q: %v", name, word, err)
			}
		}
	}
}

// Who calls an operation off is not told that there is no gateway.
func TestAnOperationThatIsCalledOffSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // else nobody notices that the client has gone
		cancel(errors.New("enough of that"))
		<-r.Context().Done()
	}))
	defer server.Close()
	c := api.NewClient(server.URL)
	_, statusErr := c.Status(ctx)
	for _, err := range []error{c.Operate(ctx, "v", "drain", api.Operation{}), statusErr} {
		if err == nil || !strings.Contains(err.Error(), "called off: enough of that") || strings.Contains(err.Error(), "no gateway") {
			t.Errorf("%v", err)
		}
	}
}
