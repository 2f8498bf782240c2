package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"forebay/cachecore/flash"
	"forebay/gateway/api"
)

// The states of a flash tier.
const (
	flashOK      = "ok"
	flashFailed  = "failed"
	flashRemoved = "removed"
)

// flashStatus is what the API tells of a pool's flash tier; nil: there is none. What its volumes missed was in neither tier.
func (g *Gateway) flashStatus(pool string) *api.Flash {
	s := g.pools[pool].flash.status()
	if s == nil {
		return nil
	}
	for _, d := range g.disks {
		if d.config.Pool == pool {
			s.MissedBlocks += d.stats.Snapshot().MissedBlocks
		}
	}
	for _, x := range g.shares {
		if x.config.Pool == pool {
			s.MissedBlocks += x.stats.Snapshot().MissedBlocks
		}
	}
	if s.HitBlocks > 0 {
		s.HitRate = float64(s.HitBlocks) / float64(s.HitBlocks+s.MissedBlocks)
	}
	return s
}

// status is what the tier knows by itself.
func (f *poolFlash) status() *api.Flash {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	store, reason, removed := f.mu.store, f.mu.reason, f.mu.removed
	f.mu.Unlock()
	s := &api.Flash{State: flashOK, Reason: reason}
	switch {
	case removed:
		s.State = flashRemoved
	case store == nil:
		s.State = flashFailed
	default:
		countFlash(s, store.Stats())
		if err := store.Err(); err != nil {
			s.State, s.Reason = flashFailed, err.Error()
		}
	}
	return s
}

func countFlash(s *api.Flash, c flash.Stats) {
	s.Bytes, s.UsedBytes, s.IndexBytes = c.Bytes, c.UsedBytes, c.IndexBytes
	s.HitBlocks, s.MismatchedBlocks = c.Hits, c.Mismatches
	s.AdmittedBlocks, s.WrittenBytes, s.WriteBudget = c.Admitted, c.WrittenBytes, c.BytesPerDay
	s.RefusedBlocks = c.RefusedBudget + c.RefusedBusy + c.RefusedIndex
}

// The metrics of a flash tier.
var (
	flashReady      = describe("pool_flash_ready", "1 if the flash tier serves.", "pool")
	flashSize       = describe("pool_flash_bytes", "Flash that the gateway gives to the pool.", "pool")
	flashUsed       = describe("pool_flash_used_bytes", "Flash that holds cached blocks.", "pool")
	flashIndex      = describe("pool_flash_index_bytes", "Memory of the index over the flash tier.", "pool")
	flashHits       = describe("pool_flash_hit_blocks_total", "Blocks that were read from the flash tier.", "pool")
	flashMisses     = describe("pool_flash_missed_blocks_total", "Blocks that were in neither the RAM nor the flash tier.", "pool")
	flashMismatches = describe("pool_flash_mismatched_blocks_total", "Blocks of the flash tier that were not what had been written.", "pool")
	flashAdmitted   = describe("pool_flash_admitted_blocks_total", "Blocks that entered the flash tier.", "pool")
	flashRefused    = describe("pool_flash_refused_blocks_total", "Blocks that were not admitted: the day's writes are spent, or the device or the index has no room.", "pool")
	flashWritten    = describe("pool_flash_written_bytes_total", "Bytes of content that were written to the flash tier.", "pool")
	flashBudget     = describe("pool_flash_write_budget_bytes", "Bytes that may be written to the flash tier a day.", "pool")
)

// collectFlash tells a pool's flash tier.
func (g *Gateway) collectFlash(to chan<- prometheus.Metric, pool string) {
	s := g.flashStatus(pool)
	if s == nil {
		return
	}
	gauge(to, flashReady, truth(s.State == flashOK), pool)
	gauge(to, flashSize, float64(s.Bytes), pool)
	gauge(to, flashUsed, float64(s.UsedBytes), pool)
	gauge(to, flashIndex, float64(s.IndexBytes), pool)
	gauge(to, flashBudget, float64(s.WriteBudget), pool)
	count(to, flashHits, s.HitBlocks, pool)
	count(to, flashMisses, s.MissedBlocks, pool)
	count(to, flashMismatches, s.MismatchedBlocks, pool)
	count(to, flashAdmitted, s.AdmittedBlocks, pool)
	count(to, flashRefused, s.RefusedBlocks, pool)
	count(to, flashWritten, s.WrittenBytes, pool)
}
