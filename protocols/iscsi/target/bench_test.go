package target

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

// benchPortal says where the client of a benchmark finds the server. It runs in a process of its own, which is this program again: so
// the CPU time of the benchmark's is the server's.
const (
	benchPortal  = "ISCSI_BENCH_PORTAL"
	benchDigests = "ISCSI_BENCH_DIGESTS" // not empty: with CRC32C
)

func TestMain(m *testing.M) {
	if portal := os.Getenv(benchPortal); portal != "" {
		if err := readHits(portal, os.Getenv(benchDigests) != ""); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkReadHit4K is 4 KiB reads that hit, 32 outstanding, over the loopback. cpu-ns/op is user and system time of the server.
func BenchmarkReadHit4K(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchmarkHits(b) })
	b.Run("digests", func(b *testing.B) { benchmarkHits(b, benchDigests+"=yes") })
}

func benchmarkHits(b *testing.B, environment ...string) {
	r := newRig(b, overTCP, func(_ *rig, s *setup) { s.store = newCached() })
	client := exec.Command(os.Args[0])
	client.Env = append(append(os.Environ(), benchPortal+"="+r.portal), environment...)
	client.Stderr = os.Stderr
	in, inErr := client.StdinPipe()
	out, outErr := client.StdoutPipe()
	if inErr != nil || outErr != nil || client.Start() != nil {
		b.Fatal("no client")
	}
	answers := bufio.NewScanner(out)
	order := func(n int) {
		if _, err := fmt.Fprintln(in, n); err != nil || !answers.Scan() || answers.Text() != "done" {
			b.Fatalf("%v, %s", err, answers.Text())
		}
	}
	order(1000)
	b.ReportAllocs()
	b.SetBytes(4096)
	begin := cpuTime()
	b.ResetTimer()
	order(b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op")
	in.Close()
	if err := client.Wait(); err != nil {
		b.Error(err)
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readHits is the client: it does as many reads as each line of its input says.
func readHits(portal string, digests bool) error {
	o := initiator.Options{Portal: portal, Target: disk, Limits: iscsi.Limits{Digests: iscsi.DigestsNone}}
	if digests {
		o.Limits.Digests = iscsi.DigestsRequired
	}
	s, err := initiator.Dial(context.Background(), o)
	if err != nil {
		return err
	}
	defer s.Abandon()
	if err := s.Ready(context.Background(), 0); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err == nil {
			err = reads(s, n)
		}
		if err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

// reads does n reads at random places, 32 at a time.
func reads(s *initiator.Session, n int) error {
	const depth = 32
	ended := make(chan error, depth)
	for i := range min(n, depth) {
		left, place := n/depth, uint64(i)*7919
		if i < n%depth {
			left++
		}
		again := func(c *initiator.Command) {
			if err := c.Failure(); err != nil || left == 0 {
				ended <- err
				return
			}
			left--
			place = place*6364136223846793005 + 1442695040888963407
			c.Read(place>>33%(diskSize/4096)*8, 8)
			if err := s.Submit(c); err != nil {
				ended <- err
			}
		}
		again(&initiator.Command{In: make([]byte, 4096), Done: again})
	}
	for range min(n, depth) {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}
