package requeststest

import (
	"testing"

	"forebay/protocols/nfs/server"
)

func TestMemory(t *testing.T) {
	TestRequests(t, func(*testing.T) func() server.Requests {
		m := new(server.MemRequests)
		return func() server.Requests { return m }
	})
}
