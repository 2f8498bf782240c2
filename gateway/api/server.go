package api

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Source is what the server asks for its answers.
type Source interface {
	Status() Status
	// Ready is nil once the gateway serves, else what it waits for.
	Ready() error
	Operator
}

// maxScrapes is how many /metrics are answered at a time; each copies all histograms.
const maxScrapes = 4

// Handler serves /api/v1, /metrics and /readyz of one gateway.
func Handler(s Source, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Status()) })
	mux.HandleFunc("GET /api/v1/volumes", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Status().Volumes) })
	mux.HandleFunc("GET /api/v1/volumes/{name}", func(w http.ResponseWriter, r *http.Request) {
		for _, v := range s.Status().Volumes {
			if v.Name == r.PathValue("name") {
				writeJSON(w, v)
				return
			}
		}
		http.Error(w, "no volume of that name", http.StatusNotFound)
	})
	operations(mux, s)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	return withoutPages(mux)
}

// withoutPages refuses what a web page has a browser ask for that changes something. There are no pages of ours, so one that seems to be, as its name was made to
// lead here, is refused as any other. What is no browser says nothing of an origin, and may call the gateway by any name.
func withoutPages(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origins.Check(r) != nil || r.Method == http.MethodPost && r.Header.Get("Origin") != "" {
			http.Error(w, "a web page can't operate a gateway", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client went away: nobody to tell
}
