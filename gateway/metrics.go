package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/cachecore/stats"
	"forebay/protocols/nfs"
)

// collector tells Prometheus what the gateway counts, at the moment it asks.
type collector struct{ g *Gateway }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("forebay_"+name, help, labels, nil)
}

// The metrics of a volume, a pool, an array and the gateway.
var (
	volumeOperations = [2]*prometheus.Desc{
		stats.Read:  describe("volume_read_operations_total", "Reads that initiators asked for.", "volume"),
		stats.Write: describe("volume_write_operations_total", "Writes that initiators asked for.", "volume"),
	}
	volumeBytes = [2]*prometheus.Desc{
		stats.Read:  describe("volume_read_bytes_total", "Bytes that initiators read.", "volume"),
		stats.Write: describe("volume_write_bytes_total", "Bytes that initiators wrote.", "volume"),
	}
	volumeErrors = [2]*prometheus.Desc{
		stats.Read:  describe("volume_read_errors_total", "Reads that did not end with GOOD.", "volume"),
		stats.Write: describe("volume_write_errors_total", "Writes that did not end with GOOD.", "volume"),
	}
	volumeHits    = describe("volume_hit_blocks_total", "Blocks of 4 KiB that reads found in the cache.", "volume")
	volumeMisses  = describe("volume_missed_blocks_total", "Blocks of 4 KiB that reads did not find in the cache.", "volume")
	volumeSize    = describe("volume_size_bytes", "Size of the volume.", "volume")
	volumeReady   = describe("volume_ready", "1 if the volume answers medium access.", "volume")
	volumeLatency = describe("volume_latency_seconds",
		"Latency as the VM observed it (vm), of what the cache answered (local, one in 16 sampled), and of what the array was asked (datastore).", "volume", "path")

	arrayOperations = [2]*prometheus.Desc{
		stats.Read:  describe("array_read_operations_total", "Reads that the array was asked for.", "array"),
		stats.Write: describe("array_write_operations_total", "Writes that the array was asked for.", "array"),
	}
	arrayBytes = [2]*prometheus.Desc{
		stats.Read:  describe("array_read_bytes_total", "Bytes read from the array.", "array"),
		stats.Write: describe("array_write_bytes_total", "Bytes written to the array.", "array"),
	}
	arrayAttached = describe("array_attached", "1 if the array is attached, with all LUNs of it that volumes are over.", "array")

	poolSize      = describe("pool_ram_bytes", "RAM that the gateway gives to the pool.", "pool")
	poolUsed      = describe("pool_ram_used_bytes", "RAM that holds cached blocks.", "pool")
	poolPinned    = describe("pool_ram_pinned_bytes", "RAM of blocks that are on their way to an initiator.", "pool")
	poolIndex     = describe("pool_index_bytes", "Memory of the index over the RAM tier.", "pool")
	poolInserts   = describe("pool_inserted_blocks_total", "Blocks that entered the RAM tier.", "pool")
	poolEvictions = describe("pool_evicted_blocks_total", "Blocks that were evicted from the RAM tier.", "pool")

	procedureCalls = describe("nfs_calls_total", "NFS procedures that clients called.", "volume", "procedure")
	procedureNotOK = describe("nfs_not_ok_total", "NFS procedures that ended with another status than NFS3_OK.", "volume", "procedure")
	nfsKept        = describe("nfs_kept_files", "Files of exports of which the next start finds again what flash has of them.")
	nfsConnections = describe("nfs_connections", "Connections of NFS clients.")
	iscsiSessions  = describe("iscsi_sessions", "Sessions that are logged in.")
)

// latencyBounds are the upper bounds of the latency histograms.
var latencyBounds = []time.Duration{
	5 * time.Microsecond, 10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond,
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	100 * time.Millisecond, time.Second, 10 * time.Second,
}

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	gauge(to, iscsiSessions, float64(len(c.g.server.Sessions())))
	gauge(to, nfsConnections, float64(len(c.g.nfs.clients())))
	if c.g.witnesses != nil {
		gauge(to, nfsKept, float64(c.g.witnesses.Count()))
	}
	for name, p := range c.g.pools {
		m := p.store.Stats()
		gauge(to, poolSize, float64(m.Bytes), name)
		gauge(to, poolUsed, float64(m.UsedBytes), name)
		gauge(to, poolPinned, float64(m.PinnedBytes), name)
		gauge(to, poolIndex, float64(m.IndexBytes), name)
		count(to, poolInserts, m.Inserts, name)
		count(to, poolEvictions, m.Evictions, name)
		c.g.collectFlash(to, name)
	}
	arrays := arrayCounts{}
	for _, v := range c.g.volumes() {
		v.collect(to, arrays)
	}
	arrays.collect(to)
	for name, f := range c.g.filers {
		attached, _ := f.state()
		gauge(to, arrayAttached, truth(attached), name)
	}
}

// arrayCounts are what volumes know of arrays, by their names: several may be over one, as LUNs of it or exports are.
type arrayCounts map[string]*arrayCount

type arrayCount struct {
	asked   [2]stats.Traffic
	luns    int // that are attached one by one; files are attached with their filer
	missing int // of them, those that are not
}

func (x arrayCounts) of(array string) *arrayCount {
	if x[array] == nil {
		x[array] = new(arrayCount)
	}
	return x[array]
}

func (x arrayCounts) collect(to chan<- prometheus.Metric) {
	for array, c := range x {
		for op, t := range c.asked {
			count(to, arrayOperations[op], t.Operations, array)
			count(to, arrayBytes[op], t.Bytes, array)
		}
		if c.luns > 0 {
			gauge(to, arrayAttached, truth(c.missing == 0), array)
		}
	}
}

func (s *disk) collect(to chan<- prometheus.Metric, arrays arrayCounts) {
	array := arrays.of(s.attachment.name)
	collect(to, s, array, s.stats)
	array.luns++
	if attached, _ := s.attachment.state(); !attached {
		array.missing++
	}
	gauge(to, volumeSize, float64(s.attachment.Info().Size), s.config.Name)
}

func (s *share) collect(to chan<- prometheus.Metric, arrays arrayCounts) {
	collect(to, s, arrays.of(s.filer.name), s.stats)
	for p := range s.procedures {
		if calls := s.procedures[p].calls.Load(); calls > 0 {
			count(to, procedureCalls, calls, s.config.Name, nfs.Procedure(p).String())
			count(to, procedureNotOK, s.procedures[p].notOK.Load(), s.config.Name, nfs.Procedure(p).String())
		}
	}
}

// collect tells what volumes of all kinds count, and adds what they asked their array.
func collect(to chan<- prometheus.Metric, s served, array *arrayCount, counters *stats.Volume) {
	name, counted := s.name(), counters.Snapshot()
	for op, t := range [2]stats.Traffic{stats.Read: counted.Reads, stats.Write: counted.Writes} {
		count(to, volumeOperations[op], t.Operations, name)
		count(to, volumeBytes[op], t.Bytes, name)
		count(to, volumeErrors[op], t.Errors, name)
	}
	for op, t := range [2]stats.Traffic{stats.Read: counted.ArrayReads, stats.Write: counted.ArrayWrites} {
		array.asked[op].Operations += t.Operations
		array.asked[op].Bytes += t.Bytes
	}
	count(to, volumeHits, counted.HitBlocks, name)
	count(to, volumeMisses, counted.MissedBlocks, name)
	for path, d := range map[string]*stats.Distribution{"vm": &counted.VM, "local": &counted.Local, "datastore": &counted.Datastore} {
		histogram(to, d, name, path)
	}
	ready, _ := s.serves()
	gauge(to, volumeReady, truth(ready), name)
}

func histogram(to chan<- prometheus.Metric, d *stats.Distribution, labels ...string) {
	buckets := make(map[float64]uint64, len(latencyBounds))
	for _, bound := range latencyBounds {
		buckets[bound.Seconds()] = d.AtMost(bound)
	}
	to <- prometheus.MustNewConstHistogram(volumeLatency, d.Count, d.Sum.Seconds(), buckets, labels...)
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func count(to chan<- prometheus.Metric, d *prometheus.Desc, n uint64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
