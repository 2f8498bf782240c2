package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"forebay/cachecore/device"
	"forebay/cachecore/writelog"
)

func inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect PATH",
		Short: "Print and check a write log, offline",
		Long: `Print and check a write log: its superblocks, segments, frames and records, and what is damaged. The gateway that uses it has to have ended. Nothing is
changed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			medium, err := device.Open(device.Options{Path: args[0]})
			if err != nil {
				return err
			}
			defer medium.Close()
			if err := writelog.Inspect(medium, cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
}
