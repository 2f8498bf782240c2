package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/cachecore/writelog"
	"forebay/configs"
)

func inspectCommand() *cobra.Command {
	var size string
	cmd := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Print and check a write log or a flash tier, offline",
		Long: `Print and check a write log: its superblocks, segments, frames and records, and what is damaged; or a flash tier: its ledger and regions, and
whether all of its content is what was written, and the write log that may be in the end of it. The gateway that uses it has to have ended. Nothing is
changed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			medium, err := openMedium(args[0], size)
			if err != nil {
				return err
			}
			defer medium.Close()
			if err := inspect(medium, cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "bytes of PATH that the tier uses, such as 200GiB, as in the configuration; default: all")
	return cmd
}

// openMedium opens a medium that is there, as far as a configuration uses it.
func openMedium(path, size string) (device.Device, error) {
	medium, err := device.Open(device.Options{Path: path})
	if err != nil || size == "" {
		return medium, err
	}
	var used configs.Size
	err = used.UnmarshalText([]byte(size))
	if err == nil && int64(used) != medium.Size() {
		var low, rest device.Device
		if low, rest, err = device.Split(medium, int64(used)); err == nil {
			return low, rest.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(err, medium.Close())
	}
	return medium, nil
}

// inspect finds out what a medium is.
func inspect(medium device.Device, w io.Writer) error {
	if !errors.Is(writelog.Probe(medium), writelog.ErrNotFormatted) {
		return writelog.Inspect(medium, w)
	}
	end, from, err := logEnd(medium)
	if err != nil {
		return err
	}
	err = flash.Inspect(medium, w)
	switch {
	case end == nil && errors.Is(err, flash.ErrNotFormatted):
		return writelog.Inspect(medium, w) // which is neither
	case end == nil:
		return err
	case errors.Is(err, flash.ErrNotFormatted):
		fmt.Fprintln(w, "no flash tier")
		err = nil
	}
	fmt.Fprintf(w, "write log in the last %d bytes, from %d on\n", end.Size(), from)
	return errors.Join(err, writelog.Inspect(end, w))
}

// logEnd is the end of a flash that has a write log; nil: it hasn't.
func logEnd(medium device.Device) (end device.Device, from int64, err error) {
	n := configs.FlashLog(medium.Size())
	if n == 0 {
		return nil, 0, nil
	}
	from = medium.Size() - n
	if _, end, err = device.Split(medium, from); err != nil || errors.Is(writelog.Probe(end), writelog.ErrNotFormatted) {
		return nil, 0, err
	}
	return end, from, nil
}
