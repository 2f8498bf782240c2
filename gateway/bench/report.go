package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what a run found out.
type Report struct {
	Result
	Versus *Versus       `json:"versus,omitempty"`
	Verify *Verification `json:"verify,omitempty"`
}

// Result is the load on one target.
type Result struct {
	Target     string   `json:"target"`
	Workload   string   `json:"workload"`
	Seconds    float64  `json:"seconds"`
	Operations int64    `json:"operations"`
	IOPS       float64  `json:"iops"`
	Throughput float64  `json:"bytes_per_second"`
	All        Latency  `json:"latency"`
	Read       *Latency `json:"read,omitempty"`
	Write      *Latency `json:"write,omitempty"`
	CPU        *float64 `json:"cpu_us_per_operation,omitempty"` // of the serving process
	OwnCPU     float64  `json:"client_cpu_us_per_operation"`
	Reconnects int      `json:"reconnects"`
}

// Versus is the other target, beside the first one. Ratios are the first target's figure by the other's: medians of the rounds.
type Versus struct {
	Result
	Rounds    int     `json:"rounds"`
	IOPSRatio float64 `json:"iops_ratio"`
	P50Ratio  float64 `json:"p50_ratio"`
}

// Verification is what was verified.
type Verification struct {
	Sectors int64    `json:"sectors"` // compared
	Writes  int64    `json:"writes"`
	Reads   int64    `json:"reads"`
	Unknown int64    `json:"unknown_writes"` // whose outcome was lost with a session
	Wrong   int64    `json:"wrong"`
	Seed    uint64   `json:"seed"`
	Samples []string `json:"samples,omitempty"` // the first wrong sectors
}

// result sums up the slices of a target.
func (t *target) result(slices []slice) Result {
	sum := newSlice()
	for _, s := range slices {
		sum.elapsed += s.elapsed
		sum.cpu += s.cpu
		sum.ownCPU += s.ownCPU
		sum.reads.h.Merge(s.reads.h)
		sum.writes.h.Merge(s.writes.h)
	}
	all := sum.all()
	r := Result{Target: t.name, Workload: t.opts.workload(t.length), Seconds: sum.elapsed.Seconds(), All: all.summary(), Reconnects: t.device.counts().reconnects}
	r.Operations, r.IOPS = r.All.Operations, sum.iops()
	r.Throughput = r.IOPS * float64(t.opts.BlockSize)
	part := func(l latencies) *Latency {
		if s := l.summary(); s.Operations > 0 {
			return &s
		}
		return nil
	}
	r.Read, r.Write = part(sum.reads), part(sum.writes)
	if r.Operations > 0 {
		perOperation := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(r.Operations) }
		r.OwnCPU = perOperation(sum.ownCPU)
		if t.endpoint.PID != 0 {
			cpu := perOperation(sum.cpu)
			r.CPU = &cpu
		}
	}
	return r
}

func (s slice) all() latencies {
	all := newLatencies()
	all.h.Merge(s.reads.h)
	all.h.Merge(s.writes.h)
	return all
}

func (s slice) iops() float64 {
	if s.elapsed <= 0 {
		return 0
	}
	return float64(s.reads.h.TotalCount()+s.writes.h.TotalCount()) / s.elapsed.Seconds()
}

// workload is the load in a few words.
func (o Options) workload(length int64) string {
	mode := "sequential"
	if o.Random {
		mode = "random"
	}
	if o.Zipf > 0 {
		mode += fmt.Sprintf(" zipf %g", o.Zipf)
	}
	block := "mixed sizes"
	if o.BlockSize > 0 {
		block = formatSize(int64(o.BlockSize))
	}
	return fmt.Sprintf("%s %s, %d%% reads, depth %d, sessions %d, working set %s", mode, block, o.Read, o.Depth, o.Sessions, formatSize(length))
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

// JSON writes the report for programs.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes the report for people.
func (r Report) Table(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s\n", r.Target, r.Workload)
	switch {
	case r.Verify != nil:
		r.Verify.rows(&b, r.Result)
	case r.Versus != nil:
		fmt.Fprintf(&b, "versus %s\n%s", r.Versus.Target, columns)
		r.rows(&b, "")
		r.Versus.rows(&b, "versus ")
		fmt.Fprintf(&b, "ratio, median of %d rounds: IOPS %.2f, p50 %.2f\n", r.Versus.Rounds, r.Versus.IOPSRatio, r.Versus.P50Ratio)
	default:
		b.WriteString(columns)
		r.rows(&b, "")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := t.Write(b.Bytes()); err != nil {
		return err
	}
	return t.Flush()
}

const columns = "\t\tIOPS\tMiB/s\tmean us\tp50\tp90\tp99\tp99.9\tmax\tCPU us/op\tclient\t\n"

func (r Result) rows(w *bytes.Buffer, prefix string) {
	row := func(name string, l Latency, cpu, own string) {
		share := 0.0
		if r.Operations > 0 {
			share = float64(l.Operations) / float64(r.Operations)
		}
		fmt.Fprintf(w, "%s\t\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%s\t%s\t\n", prefix+name, r.IOPS*share, r.Throughput*share/(1<<20),
			l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max, cpu, own)
	}
	cpu := "-"
	if r.CPU != nil {
		cpu = fmt.Sprintf("%.1f", *r.CPU)
	}
	row("all", r.All, cpu, fmt.Sprintf("%.1f", r.OwnCPU))
	if r.Read != nil && r.Write != nil {
		row("read", *r.Read, "", "")
		row("write", *r.Write, "", "")
	}
	if r.Reconnects > 0 {
		fmt.Fprintf(w, "%sreconnects\t\t%d\t\n", prefix, r.Reconnects)
	}
}

func (v Verification) rows(w *bytes.Buffer, r Result) {
	for _, s := range v.Samples {
		fmt.Fprintln(w, s)
	}
	fmt.Fprintf(w, "verified %d sectors in %d reads beside %d writes in %.1f s; %d writes of unknown outcome, %d reconnects; wrong: %d (seed %d)\n",
		v.Sectors, v.Reads, v.Writes, r.Seconds, v.Unknown, r.Reconnects, v.Wrong, v.Seed)
}
