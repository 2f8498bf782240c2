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
	cmd := &cobra.Command{Use: "tier", Short: "Change what a gateway gives to a pool, while it runs"}
	cmd.PersistentFlags().StringVar(&url, "api", cmp.Or(os.Getenv("FOREBAY_API"), api.DefaultURL), "the gateway to ask, else that of FOREBAY_API")
	cmd.AddCommand(tierFlashCommand(func() *api.Client { return api.NewClient(url) }))
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

It holds until the gateway starts again: change the configuration too. A file that is to become longer than it is takes the configuration and a
restart.`,
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
