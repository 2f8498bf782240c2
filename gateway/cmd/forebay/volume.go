package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"forebay/gateway/api"
)

func volumeCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "volume",
		Short: "Change when a volume's writes are acknowledged, drain it, hold it still for a backup, empty its cache",
		Args:  cobra.NoArgs, // a mistyped subcommand is an error
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&url, "api", cmp.Or(os.Getenv("FOREBAY_API"), api.DefaultURL), "the gateway to ask, else that of FOREBAY_API")
	client := func() *api.Client { return api.NewClient(url) }
	cmd.AddCommand(policyCommand(client), drainCommand(client), pauseCommand(client), barrierCommand(client), recoverCommand(client), dropCacheCommand(client))
	return cmd
}

func policyCommand(client func() *api.Client) *cobra.Command {
	var write string
	cmd := &cobra.Command{
		Use:   "policy NAME",
		Short: "Acknowledge writes when the array has them (through) or when the log has (back)",
		Long: `Acknowledge writes when the array has them (through) or when the log has (back), from now on and after a restart.

From back to through takes as long as the array needs for what is acknowledged and not there yet; writes go on meanwhile, and forebay status shows
the effective policy. --write configured is what the configuration says.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := map[string]string{"through": "through", "back": "back", "configured": ""}
			word, ok := words[write]
			if !ok {
				return fmt.Errorf("--write %q: through, back or configured", write)
			}
			return client().Operate(cmd.Context(), args[0], "policy", api.Operation{Write: word})
		},
	}
	cmd.Flags().StringVar(&write, "write", "", "through, back or configured")
	_ = cmd.MarkFlagRequired("write") // fails for flags that aren't there
	return cmd
}

func drainCommand(client func() *api.Client) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain NAME",
		Short: "Carry to the array all that is acknowledged now",
		Long: `Carry to the array all that is acknowledged now. The policy stays: what is acknowledged later is carried later. With --wait it ends when that is done,
and tells how much is left meanwhile.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait {
				ctx, cancel := context.WithCancel(cmd.Context())
				var telling sync.WaitGroup
				telling.Go(func() { progress(ctx, client(), args[0], cmd.ErrOrStderr()) })
				defer telling.Wait() // nothing is told when it is over
				defer cancel()
			} else if _, err := client().Status(cmd.Context()); err != nil { // later, silence is taken for consent
				return err
			}
			done := make(chan error, 1)
			go func() { done <- client().Operate(cmd.Context(), args[0], "drain", api.Operation{}) }()
			if !wait {
				select {
				case err := <-done:
					return err
				case <-time.After(time.Second): // it has been accepted, and takes its time
					return nil
				}
			}
			return <-done
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is done")
	return cmd
}

// progress tells every second what is left.
func progress(ctx context.Context, c *api.Client, volume string, to io.Writer) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
		s, err := c.Status(ctx)
		if err != nil {
			continue
		}
		for _, v := range s.Volumes {
			if v.Name == volume && v.Writeback != nil {
				fmt.Fprintln(to, formatBytes(v.Writeback.DirtyBytes)+" left"+about(v.Writeback.TimeToDestage))
			}
		}
	}
}

// about is how long something will take, if that is known.
func about(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return fmt.Sprintf(", about %v", max(time.Second, time.Duration(seconds*float64(time.Second)).Round(time.Second)))
}

func pauseCommand(client func() *api.Client) *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "pause-writeback NAME",
		Short: "Write-through for a time, after which the policy is what it was",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return client().Operate(cmd.Context(), args[0], "pause-writeback", api.Operation{TTL: ttl.String()})
		},
	}
	cmd.Flags().DurationVar(&ttl, "ttl", 30*time.Minute, "for how long; 0s ends a pause")
	return cmd
}

func barrierCommand(client func() *api.Client) *cobra.Command {
	var hold time.Duration
	cmd := &cobra.Command{
		Use:   "barrier NAME",
		Short: "Wait until the array has all that is acknowledged now, and keep it so for a snapshot",
		Long: `Wait until the array has all that is acknowledged now, and carry nothing more to it for the time of the hold: a snapshot of the array that is taken
meanwhile is a state that the client could have seen. Writes go on and are kept in the log.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return client().Operate(cmd.Context(), args[0], "barrier", api.Operation{Hold: hold.String()})
		},
	}
	cmd.Flags().DurationVar(&hold, "hold", time.Minute, "for how long; 0s ends a hold")
	return cmd
}

func recoverCommand(client func() *api.Client) *cobra.Command {
	var accept bool
	cmd := &cobra.Command{
		Use:   "recover NAME",
		Short: "Give up acknowledged writes that can't be had any more",
		Long: `Give up the acknowledged writes of a volume that is offline for them: its write log is damaged, or another one than that which has them. If that can be
brought back, do that instead.

What the array has is served when the gateway has been started again. It may be a state that no client has seen: check file systems. Records that
turn up later don't count any more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !accept {
				return errors.New("it gives up acknowledged writes: say --accept-data-loss")
			}
			err := client().Operate(cmd.Context(), args[0], "recover", api.Operation{AcceptDataLoss: true})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "recorded as a loss of %s's data; it is served again when the gateway has been restarted\n", args[0])
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&accept, "accept-data-loss", false, "what is not on the array is lost")
	return cmd
}
