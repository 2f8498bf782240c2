package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"forebay/gateway/api"
)

func statusCommand() *cobra.Command {
	var url, output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show a gateway's volumes, sessions, arrays, hit rates and latencies",
		Long: `Show a gateway's volumes, sessions, arrays, hit rates and latencies, counted since its start.

A latency is as the VM observed it (VM), of what the cache answered (LOCAL) and of what the array was asked (DATASTORE). A volume whose policy
and effective policy differ says why.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := map[string]func(io.Writer, api.Status) error{"table": printStatus, "json": printJSON}[output]
			if !ok {
				return fmt.Errorf("-o %q: table or json", output)
			}
			status, err := api.NewClient(url).Status(cmd.Context())
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), status)
		},
	}
	cmd.Flags().StringVar(&url, "api", cmp.Or(os.Getenv("FOREBAY_API"), api.DefaultURL), "the gateway to ask, else that of FOREBAY_API")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func printJSON(to io.Writer, s api.Status) error {
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

// printStatus writes tables for people; scripts take the JSON.
func printStatus(to io.Writer, s api.Status) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	g := s.Gateway
	fmt.Fprintf(w, "gateway %s  domain %s  version %s  up %s  iscsi %s\n", g.Name, g.FaultDomain, g.Version, time.Since(g.Started).Round(time.Second),
		cmp.Or(strings.Join(g.ISCSI, " "), none))
	if len(g.NFS) > 0 {
		fmt.Fprintf(w, "nfs %s  mount %s\n", strings.Join(g.NFS, " "), cmp.Or(strings.Join(g.Mount, " "), none))
	}
	fmt.Fprintf(w, "known to arrays as %s\n", cmp.Or(g.Initiator, none))

	fmt.Fprintln(w, "\nPOOL\tRAM\tUSED\tEVICTIONS")
	for _, p := range s.Pools {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", p.Name, formatBytes(p.RAMBytes), formatBytes(p.RAMUsedBytes), p.Evictions)
	}
	printLogs(w, s.Pools)
	printFlash(w, s.Pools)
	fmt.Fprintln(w, "\nARRAY\tKIND\tSTATE\tSIZE\tREASON")
	for _, a := range s.Arrays {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, a.Kind, state(a), size(a.Bytes), cmp.Or(a.Reason, none))
	}
	printVolumes(w, s.Volumes)
	printLosses(w, s.Volumes)
	fmt.Fprintln(w, "\nINITIATOR\tADDRESS\tTARGET\tSINCE\tCOMMANDS\tIN FLIGHT")
	for _, x := range s.Sessions {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\n", x.Initiator, x.Address, cmp.Or(x.Target, "(discovery)"), x.Since.Local().Format(time.DateTime),
			x.Commands, x.InFlight)
	}
	printClients(w, s)
	return w.Flush()
}

// printClients is for gateways that have NFS exports.
func printClients(w io.Writer, s api.Status) {
	if len(s.Gateway.NFS) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNFS CLIENT\tSINCE\tCALLS\tIN FLIGHT")
	for _, c := range s.Clients {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", c.Address, c.Since.Local().Format(time.DateTime), c.Calls, c.InFlight)
	}
	fmt.Fprintln(w, "\nEXPORT\tPROCEDURE\tCALLS\tNOT OK\tp50 (us)\tp99")
	for _, v := range s.Volumes {
		for _, p := range v.Procedures {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", v.Export, p.Name, p.Calls, p.NotOK, latency(p.Latency))
		}
	}
}

func state(a api.Array) string {
	if a.Unfenced {
		return a.State + ", unfenced"
	}
	return a.State
}

func printVolumes(w io.Writer, volumes []api.Volume) {
	fmt.Fprintln(w, "\nVOLUME\tSIZE\tPOLICY\tEFFECTIVE\tSESSIONS\tREADS\tWRITES\tERRORS\tHIT RATE\tREASON")
	for _, v := range volumes {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.1f%%\t%s\n", v.Name, size(v.Bytes), v.Requested, v.Effective, v.Sessions,
			v.Reads.Operations, v.Writes.Operations, v.Reads.Errors+v.Writes.Errors, 100*v.HitRate, cmp.Or(v.Reason, none))
	}
	fmt.Fprintln(w, "\nLATENCY (us)\tVM p50\tp99\tLOCAL p50\tp99\tDATASTORE p50\tp99")
	for _, v := range volumes {
		l := v.Latency
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, latency(l.VM), latency(l.Local), latency(l.Datastore))
	}
}

// none stands where there is nothing to say.
const none = "-"

// latency is the two cells of a distribution.
func latency(p api.Percentiles) string {
	if p.Count == 0 {
		return none + "\t" + none
	}
	return fmt.Sprintf("%.1f\t%.1f", p.P50, p.P99)
}

// size is of what may not be known yet.
func size(n int64) string {
	if n == 0 {
		return none
	}
	return formatBytes(n)
}

func formatBytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for ; value >= unit && exp < 4; exp++ {
		value /= unit
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exp])
}
