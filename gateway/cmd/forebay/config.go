package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"forebay/configs"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Work on configuration files",
		Args:  cobra.NoArgs, // a mistyped subcommand is an error
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE...",
		Short: "Tell everything that is wrong with configuration files",
		Args:  cobra.MinimumNArgs(1),
		Long: `Tell everything that is wrong with configuration files, and what an operator should know, by file, line and key.
Nothing is started and nothing but the secrets' files is opened.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			wrong := false
			for _, file := range files {
				wrong = !check(cmd, file) || wrong
			}
			if wrong {
				return errReported
			}
			return nil
		},
	})
	return cmd
}

// check says whether a gateway would take the file.
func check(cmd *cobra.Command, file string) bool {
	c, err := configs.Load(file)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return false
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: fine\n", file)
	return true
}
