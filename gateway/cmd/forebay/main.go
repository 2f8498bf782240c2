// Command forebay runs a gateway and is the operator's tool for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"forebay/gateway/bench"
)

// version is set by the linker.
var version = "unknown"

// errReported ends the program with a failure that has been printed already.
var errReported = errors.New("reported")

func main() {
	// A second signal ends at once: once the first has been taken, the default disposition is restored.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := root().ExecuteContext(ctx)
	if err == nil {
		return
	}
	if !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "forebay:", err)
	}
	os.Exit(1)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "forebay",
		Short:         "Storage acceleration between hypervisors and arrays",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	cmd.SetVersionTemplate("forebay {{.Version}}\n")
	cmd.AddCommand(gatewayCommand(), statusCommand(), volumeCommand(), tierCommand(), inspectCommand(), configCommand(), bench.Command(), versionCommand())
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "forebay", version) },
	}
}
