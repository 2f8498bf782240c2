package etcd

import (
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Empty removes every key, so that tests of an empty store can share a server.
func Empty(t *testing.T, e *Embedded) {
	t.Helper()
	if _, err := e.client.Delete(t.Context(), keyRoot, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
}
