package gateway

import (
	"sync/atomic"
	"time"

	"forebay/cachecore/stats"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/server"
)

// procedures counts what clients ask of one export.
type procedures [nfs.Procedures]procedure

type procedure struct {
	calls, notOK atomic.Uint64
	latency      stats.Histogram
}

// exports observes what the NFS server answers, for all exports. It does not change once it is made.
type exports map[*server.Export]*share

// Observe implements server.Observer.
func (x exports) Observe(e *server.Export, p nfs.Procedure, size int, took time.Duration, status nfs.Status) {
	s := x[e]
	if s == nil || p >= nfs.Procedures {
		return
	}
	c := &s.procedures[p]
	c.calls.Add(1)
	failed := status != nfs.OK
	if failed {
		c.notOK.Add(1)
	}
	c.latency.Record(took)
	switch p {
	case nfs.ProcRead:
		s.stats.Observe(stats.Read, size, took, failed)
	case nfs.ProcWrite:
		s.stats.Observe(stats.Write, size, took, failed)
	}
}
