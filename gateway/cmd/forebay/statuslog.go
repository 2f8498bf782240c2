package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"forebay/gateway/api"
)

// printLogs is for gateways that have write logs.
func printLogs(w io.Writer, pools []api.Pool) {
	if !slices.ContainsFunc(pools, func(p api.Pool) bool { return p.Log != nil }) {
		return
	}
	fmt.Fprintln(w, "\nWRITE LOG\tROOM\tUSED\tSURVIVES\tTORN\tTROUBLE")
	for _, p := range pools {
		if l := p.Log; l != nil {
			survives := "nothing"
			if l.SurvivesPowerLoss {
				survives = "power-loss"
			}
			trouble := l.Damage
			if l.Error != "" {
				trouble = append([]string{l.Error}, trouble...)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, formatBytes(l.Bytes), formatBytes(l.UsedBytes), survives, cmp.Or(l.Torn, none),
				cmp.Or(strings.Join(trouble, "; "), none))
		}
	}
}

// printLosses is for volumes of which acknowledged writes have been given up, or refused by their filers.
func printLosses(w io.Writer, volumes []api.Volume) {
	count := func(title string, of func(*api.Writeback) uint64) {
		for _, v := range volumes {
			if v.Writeback != nil && of(v.Writeback) > 0 {
				fmt.Fprintf(w, "%s%s\t%d\n", title, v.Name, of(v.Writeback))
				title = ""
			}
		}
	}
	count("\nDATA LOSSES\tTIMES\n", func(b *api.Writeback) uint64 { return b.Losses })
	count("\nREFUSED FILES\tFILES\n", func(b *api.Writeback) uint64 { return uint64(b.RefusedFiles) })
}
