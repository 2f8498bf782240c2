package requests

import (
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs/server"
	"forebay/protocols/nfs/server/requeststest"
)

func TestJournal(t *testing.T) {
	requeststest.TestRequests(t, func(t *testing.T) func() server.Requests {
		path := filepath.Join(t.TempDir(), "nfs-requests")
		return func() server.Requests {
			j, err := Open(path, zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { j.Close() })
			return j
		}
	})
}

// BenchmarkKeep is what a change pays: an intent and an outcome.
func BenchmarkKeep(b *testing.B) {
	j, err := Open(filepath.Join(b.TempDir(), "nfs-requests"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		j.Keep(b.Context(), intent(i))
		j.Keep(b.Context(), outcome(i))
	}
}
