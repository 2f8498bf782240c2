package main

import (
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"forebay/configs"
	"forebay/gateway"
)

func gatewayCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run a gateway",
		Long: `Run a gateway until SIGTERM or SIGINT, which end it in order: commands under way are answered, what was written is flushed.
A second signal ends it at once. It logs to standard error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := configs.Load(path)
			if err != nil {
				return err
			}
			collectLess()
			log := newLogger(cmd.ErrOrStderr(), cfg.Gateway.Log)
			err = gateway.New(gateway.Options{Config: cfg, Log: log, Version: version}).Run(cmd.Context())
			if err == nil || cfg.Gateway.Log.Format == "console" { // people read errors of several lines as they are
				return err
			}
			log.Error().Err(err).Msg("gateway ended")
			return errReported
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "forebay.yaml", "the configuration file")
	return cmd
}

// collectLess has the garbage collector run less often, unless the environment says how often. Cached data and their index are not on the heap: what is
// there is a few megabytes, and at Go's own pace misses would have it collected many times a second.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// newLogger writes JSON lines, or lines for people on a terminal's console.
func newLogger(to io.Writer, o configs.Log) zerolog.Logger {
	level, err := zerolog.ParseLevel(o.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	if o.Format == "console" {
		to = zerolog.ConsoleWriter{Out: to, TimeFormat: time.TimeOnly, NoColor: os.Getenv("NO_COLOR") != "" || !terminal(to)}
	}
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	return zerolog.New(to).Level(level).With().Timestamp().Logger()
}

// terminal says whether somebody looks at w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
