package bench

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Command is `forebay bench`.
func Command() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "bench URL",
		Short: "Drive an iSCSI target or NFS server, ours or another's: load, comparison, verification",
		Long: `Drive an iSCSI target or an NFS server, ours or another's. URL is one of

  iscsi://[user[%secret]@]host[:port]/target/lun
  nfs://host[:port]/export/path/to/file[?mount-port=N&uid=N&gid=N]

NFS is version 3 over TCP, at port 2049 unless the URL says another one. MOUNT is asked at mount-port, 20048 by default; 0 asks the
port mapper for it, at portmap-port, 111 by default. Calls are made as uid and gid, 0 by default. Symbolic links are not followed.

Writes (--read below 100, and --verify) overwrite what is on the LUN or in the file.

A WRITE asks for the durability that --stable says. The default, unstable, is what an iSCSI write without FUA is: the server may hold it in
volatile memory until it is told to flush, which bench does (COMMIT, SYNCHRONIZE CACHE) before --verify reads everything back.
Hypervisors ask for file-sync.

Under load, the data of READs of 32 KiB and more is not copied out of the kernel: nobody looks at it, and what bench takes is missing to a
server on the same machine. --verify looks at each byte.

To --verify, a write counts from the moment when it is answered, however durable. With --reconnect, an NFS call that was lost with its
connection is made again, under the same XID; an iSCSI write that was is of unknown outcome.`,
		Example: `  forebay bench iscsi://127.0.0.1:3260/iqn.2026-11.io.forebay:demo/0 --read 70 --depth 32 --zipf 1.1
  forebay bench URL --vs OTHER-URL --warm-up --working-set 256MiB
  forebay bench nfs://127.0.0.1/files/disk.img --create --working-set 1GiB --read 0 --stable file-sync
  forebay bench URL --verify --shared --sessions 8`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.define(cmd.Flags())
	return cmd
}

// flags are the command line.
type flags struct {
	opts                         Options
	mode                         string
	versus                       string
	versusPID                    int
	block, workingSet, offset    size
	secretFile, mutualSecretFile string
	asJSON                       bool
}

func (f *flags) define(s *pflag.FlagSet) {
	o := &f.opts
	s.StringVar(&f.mode, "mode", "rand", "rand or seq")
	s.IntVar(&o.Read, "read", 100, "percent of the commands that read; with --verify 50")
	s.Var(&f.block, "block-size", "bytes per command (default 4KiB; with --verify a mixture)")
	s.IntVar(&o.Depth, "depth", 32, "commands outstanding per session")
	s.IntVar(&o.Sessions, "sessions", 1, "sessions")
	s.Var(&f.workingSet, "working-set", "how much of the LUN or file to use (default all of it; with --verify at most 1GiB)")
	s.Var(&f.offset, "offset", "where that begins")
	s.Float64Var(&o.Zipf, "zipf", 0, "some blocks are asked for more often: exponent of Zipf's law, above 1")
	s.DurationVar(&o.Duration, "duration", 0, "how long (default 10s)")
	s.BoolVar(&o.WarmUp, "warm-up", false, "read the working set once, first")
	s.Uint64Var(&o.Seed, "seed", 0, "of the random numbers (default a new one)")
	s.BoolVar(&o.Digests, "digests", false, "iSCSI: header and data digests")
	s.Var((*stable)(&o.Stable), "stable", "NFS: unstable, data-sync or file-sync writes")
	s.BoolVar(&o.Create, "create", false, "NFS: make the file, or make it larger, as --working-set needs it; it reads as zeros")
	s.StringVar(&o.Target.CHAP.User, "chap-user", "", "CHAP user, if not in the URL")
	s.StringVar(&f.secretFile, "chap-secret-file", "", "file with the CHAP secret")
	s.StringVar(&o.Target.CHAP.MutualUser, "chap-mutual-user", "", "CHAP user that the target must prove to be")
	s.StringVar(&f.mutualSecretFile, "chap-mutual-secret-file", "", "file with its secret")
	s.StringVar(&f.versus, "vs", "", "URL of a second target, driven in turns with the first")
	s.IntVar(&o.Rounds, "rounds", 0, "turns of each, with --vs (default 5)")
	s.IntVar(&o.Target.PID, "pid", 0, "process that serves the target: tells its CPU time per command")
	s.IntVar(&f.versusPID, "vs-pid", 0, "the same for --vs")
	s.BoolVar(&o.Verify, "verify", false, "write blocks that say which write they came from, and check every read")
	s.BoolVar(&o.Shared, "shared", false, "with --verify: sessions overlap on the same blocks")
	s.BoolVar(&o.Reconnect, "reconnect", false, "connect again when a connection is lost, for up to a minute")
	s.BoolVar(&f.asJSON, "json", false, "print JSON")
}

func (f *flags) run(cmd *cobra.Command, url string) error {
	o, err := f.options(url, cmd.Flags().Changed("read"))
	if err != nil {
		return err
	}
	if err := f.heeded(cmd.Flags()); err != nil {
		return err
	}
	if terminal(os.Stderr) {
		o.Progress = os.Stderr
	}
	report, err := Run(cmd.Context(), o)
	if report.Target == "" {
		return err
	}
	show := report.Table
	if f.asJSON {
		show = report.JSON
	}
	if showErr := show(cmd.OutOrStdout()); err == nil {
		err = showErr
	}
	return err
}

// heeded refuses flags that nothing would come of: a 0 would be the default, and some go with --vs.
func (f *flags) heeded(s *pflag.FlagSet) error {
	var problems []error
	for _, name := range []string{"depth", "sessions", "duration", "rounds", "block-size"} {
		if x := s.Lookup(name); x.Changed && strings.TrimRight(x.Value.String(), "s") == "0" {
			problems = append(problems, fmt.Errorf("--%s 0: leave it out for the default", name))
		}
	}
	for _, name := range []string{"rounds", "vs-pid"} {
		if s.Changed(name) && f.versus == "" {
			problems = append(problems, fmt.Errorf("--%s goes with --vs", name))
		}
	}
	return errors.Join(problems...)
}

func (f *flags) options(url string, readGiven bool) (Options, error) {
	o := f.opts
	switch f.mode {
	case "rand", "random":
		o.Random = true
	case "seq", "sequential":
	default:
		return o, fmt.Errorf("--mode %s: want rand or seq", f.mode)
	}
	if o.Verify && !readGiven {
		o.Read = 50
	}
	if f.block > maxBlock {
		return o, fmt.Errorf("--block-size %s: at most %s", formatSize(int64(f.block)), formatSize(maxBlock))
	}
	o.BlockSize, o.WorkingSet, o.Offset = int(f.block), int64(f.workingSet), int64(f.offset)
	for _, secret := range []struct {
		file string
		to   *string
	}{{f.secretFile, &o.Target.CHAP.Secret}, {f.mutualSecretFile, &o.Target.CHAP.MutualSecret}} {
		if secret.file == "" {
			continue
		}
		p, err := os.ReadFile(secret.file)
		if err != nil {
			return o, err
		}
		*secret.to = strings.TrimRight(string(p), "\r\n")
	}
	o.Target.URL = url
	if f.versus != "" {
		o.Versus = &Endpoint{URL: f.versus, CHAP: o.Target.CHAP, PID: f.versusPID}
	}
	return o, nil
}

// terminal says whether somebody looks at f.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
