package main

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"forebay/configs"
	"forebay/gateway/api"
)

func tierCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "tier",
		Short: "Change what a gateway gives to a pool, while it runs",
		Args:  cobra.NoArgs, // a mistyped subcommand is an error
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&url, "api", cmp.Or(os.Getenv("FOREBAY_API"), api.DefaultURL), "the gateway to ask, else that of FOREBAY_API")
	client := func() *api.Client { return api.NewClient(url) }
	cmd.AddCommand(tierRAMCommand(client), tierFlashCommand(client))
	return cmd
}

func tierRAMCommand(client func() *api.Client) *cobra.Command {
	var size string
	cmd := &cobra.Command{
		Use:   "ram POOL --size SIZE",
		Short: "Resize a pool's RAM tier",
		Long: `Use more or less RAM for a pool, up to what the machine has. Volumes go on meanwhile. What does not fit any more is forgotten, and its memory given
back. A write log in RAM is no part of it, and stays.

It holds until the gateway starts again: change the configuration too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var bytes configs.Size
			if err := bytes.UnmarshalText([]byte(size)); err != nil {
				return err
			}
			return client().OperateRAM(cmd.Context(), args[0], api.RAMOperation{Bytes: int64(bytes)})
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "bytes to cache in RAM, such as 16GiB")
	_ = cmd.MarkFlagRequired("size") // fails for flags that aren't there
	return cmd
}

func tierFlashCommand(client func() *api.Client) *cobra.Command {
	var size string
	var remove bool
	cmd := &cobra.Command{
		Use:   "flash POOL",
		Short: "Resize or remove a pool's flash tier",
		Long: `Use more or less of the device that is a pool's flash tier, or take the tier out. Volumes go on meanwhile. What does not fit any more is forgotten.
A write log in the end of the device is no part of it, and stays.

A file becomes as long as it has to, unless a write log is in its end.

It holds until the gateway starts again: change the configuration too. A tier that is larger than the configuration says is made anew then.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (size != "") == remove {
				return errors.New("either --size or --remove")
			}
			var bytes configs.Size
			if !remove {
				if err := bytes.UnmarshalText([]byte(size)); err != nil {
					return err
				}
			}
			return client().OperateFlash(cmd.Context(), args[0], api.FlashOperation{Bytes: int64(bytes), Remove: remove})
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "bytes of the device to use, such as 20GiB")
	cmd.Flags().BoolVar(&remove, "remove", false, "take it out")
	return cmd
}

func dropCacheCommand(client func() *api.Client) *cobra.Command {
	return &cobra.Command{
		Use:   "drop-cache NAME",
		Short: "Forget all that is cached of a volume, in RAM and on flash",
		Long: `Forget all that is cached of a volume, in RAM and on flash. It is for an array that was changed by others: restored, reverted to a snapshot, written by a
host. While the gateway is down too nobody should: it can't know, and finds on flash what was there before.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return client().Operate(cmd.Context(), args[0], "drop-cache", api.Operation{})
		},
	}
}
