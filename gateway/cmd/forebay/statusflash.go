package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"forebay/gateway/api"
)

// printFlash is for gateways that give flash to a pool.
func printFlash(w io.Writer, pools []api.Pool) {
	if !slices.ContainsFunc(pools, func(p api.Pool) bool { return p.Flash != nil }) {
		return
	}
	fmt.Fprintln(w, "\nFLASH\tSTATE\tSIZE\tUSED\tHITS\tHIT RATE\tWRITTEN\tA DAY\tREASON")
	for _, p := range pools {
		if f := p.Flash; f != nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%.1f%%\t%s\t%s\t%s\n", p.Name, f.State, size(f.Bytes), formatBytes(f.UsedBytes), f.HitBlocks, 100*f.HitRate,
				formatBytes(int64(f.WrittenBytes)), size(f.WriteBudget), cmp.Or(f.Reason, none))
		}
	}
}
