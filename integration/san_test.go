package integration

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"forebay/integration/relay"
	"forebay/protocols/iscsi/initiator"
)

// over is a gateway's array at a portal that leads to tgtd.
func (a *tgtd) over(portals ...string) string {
	return fmt.Sprintf(`iscsi: {portals: ["%s"], target: %q}`, strings.Join(portals, `", "`), a.target)
}

func TestClientsWorkOverAnArrayBehindISCSI(t *testing.T) {
	need(t, "qemu-img", "qemu-io", "iscsi-test-cu")
	a := startTgtd(t, tgtdOptions{size: 128 << 20, writeCache: true, thin: true})
	s := settings{dir: t.TempDir(), ram: "32MiB", array: a.over(a.portal), lun: 1}
	g := startGateway(t, s)
	image := filepath.Join(s.dir, "image.raw")
	randomFile(t, image, 128<<20)
	command(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, g.url())
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, g.url())
	g.stop()
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, a.url(1)) // the array has it all

	g = startGateway(t, s)
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, g.url())
	for _, suite := range []string{"SCSI.Read16", "SCSI.Write16", "SCSI.WriteSame16", "SCSI.Unmap", "SCSI.ReadCapacity16", "SCSI.Verify16", "iSCSI.iSCSIResiduals", "iSCSI.iSCSITMF"} {
		runSuite(t, suite, g.url())
	}
}

func TestExt4OverAnArrayBehindISCSISurvives(t *testing.T) {
	a := startTgtd(t, tgtdOptions{size: 256 << 20, writeCache: true, thin: true})
	ext4Survives(t, settings{ram: "32MiB", array: a.over(a.portal), lun: 1})
}

// Eight sessions overlap while the array's connections are cut every second, are slow, are swallowed, and the array is killed and
// restarted: no wrong block, no command that never ends.
func TestSharedVerifyOverAnArrayThatComesAndGoes(t *testing.T) {
	t.Parallel()
	phase, rounds := 4*time.Second, 1
	if soak() {
		phase, rounds = 20*time.Second, 6 // an initiator gives a command up after 30 s
	}
	// Direct I/O: through the page cache, tgtd answers a read of a sector that is being written with a part of each content.
	a := startTgtd(t, tgtdOptions{size: 128 << 20, writeCache: true, thin: true, bsoflags: "direct"})
	r := startRelay(t, a.portal, relay.Options{})
	g := startGateway(t, settings{ram: "16MiB", array: a.over(r.Addr()), lun: 1, policy: "on-array-loss: hold 60s"})
	faults := []struct {
		name string
		run  func(ctx context.Context)
	}{
		{"cut every second", func(ctx context.Context) { r.CutEvery(ctx, time.Second, relay.Reset) }},
		{"closed every second", func(ctx context.Context) { r.CutEvery(ctx, time.Second, relay.Finish) }},
		{"slow", func(ctx context.Context) {
			r.Delay(relay.ToServer, 2*time.Millisecond)
			<-ctx.Done()
			r.Delay(relay.ToServer, 0)
		}},
		{"swallowed", func(ctx context.Context) {
			r.BlackHole(relay.ToClient, true)
			<-ctx.Done()
			r.BlackHole(relay.ToClient, false)
			r.Cut(relay.Reset)
		}},
		{"killed", func(ctx context.Context) { a.restart(); <-ctx.Done() }},
		{"none", func(ctx context.Context) { <-ctx.Done() }},
	}
	load := start(t, forebay, "bench", g.url(), "--verify", "--shared", "--sessions", "8", "--depth", "8", "--read", "60", "--working-set", "64MiB",
		"--duration", (phase * time.Duration(rounds*len(faults))).String())
	for _, f := range slices.Repeat(faults, rounds) {
		ctx, cancel := context.WithTimeout(t.Context(), phase)
		f.run(ctx)
		cancel()
	}
	if err := load.wait(2 * time.Minute); err != nil {
		t.Fatalf("bench: %v\n%s", err, load.output())
	}
	if v := g.status().Volumes[0]; v.Reads.Errors+v.Writes.Errors > 0 {
		t.Errorf("clients saw errors: %+v", v)
	}
	t.Log(load.output())
}

// PROTOCOL D2: WRITEs are held for 3 s on their way to the array while their session is cut and their blocks are rewritten, over the same
// path or another one. The later writes win.
func TestD2_HeldWritesDoNotLandOverTheirSuccessors(t *testing.T) {
	for name, c := range map[string]struct {
		otherPath bool
		reserve   string
	}{
		"the same path":         {false, "true"},
		"without a reservation": {false, "false"},
		"over another path":     {true, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startTgtd(t, tgtdOptions{writeCache: true})
			r, other := startRelay(t, a.portal, relay.Options{ISCSI: true}), startRelay(t, a.portal, relay.Options{})
			portals := []string{r.Addr()}
			if c.otherPath {
				other.Refuse(true)
				portals = append(portals, other.Addr())
			}
			array := strings.TrimSuffix(a.over(portals...), "}") + ", reserve: " + c.reserve + "}"
			g := startGateway(t, settings{array: array, lun: 1, policy: "on-array-loss: hold 60s"})
			holdAndRewrite(t, g, r, func() {
				if c.otherPath {
					other.Refuse(false)
					r.Refuse(true)
				}
			})
			g.stop()
			s := a.login(a.portal, [6]byte{})
			for block := range 2 {
				if err := s.Ready(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				if got := content(t, s, block*8); got != 'b' {
					t.Errorf("the array holds %q in block %d", got, block)
				}
			}
		})
	}
}

// holdAndRewrite writes two blocks with 'a' through a gateway. On their way to the array the relay holds both; then comes what is to
// change, and the session is cut. Once the gateway has answered, the blocks are written with 'b', and what was held goes on.
func holdAndRewrite(t *testing.T, g *gatewayProcess, r *relay.Relay, change func()) {
	t.Helper()
	s, err := initiator.Dial(t.Context(), initiator.Options{Portal: g.portal, Target: demoTarget})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	if err := s.Ready(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	write := func(block int, letter byte) error {
		c := &initiator.Command{Out: bytes.Repeat([]byte{letter}, 4096)}
		c.Write(uint64(block*8), 8, false)
		return s.Do(t.Context(), c)
	}
	var held [2]*relay.Held
	written := make(chan error, len(held))
	for block := range held {
		held[block] = r.Hold(relay.WriteTo(uint64(block * 8)))
		go func() { written <- write(block, 'a') }()
		arrived(t, held[block])
	}
	longEnough := time.After(3 * time.Second)
	change()
	r.Cut(relay.Reset)
	for range held {
		if err := <-written; err != nil { // issued again over a new session
			t.Fatal(err)
		}
	}
	for block := range held {
		if err := write(block, 'b'); err != nil {
			t.Fatal(err)
		}
	}
	<-longEnough
	for block := range held {
		held[block].Release()
		if late, err := held[block].Answer(t.Context()); err == nil && late.Status() == initiator.StatusGood {
			t.Errorf("the array has executed a write to block %d that was given up", block)
		}
	}
}

// A gateway that was killed finds its reservation under the key of its earlier boot, over either portal, and takes it over.
func TestAKilledGatewayTakesItsReservationOver(t *testing.T) {
	need(t, "qemu-io")
	a := startTgtd(t, tgtdOptions{writeCache: true})
	r, other := startRelay(t, a.portal, relay.Options{}), startRelay(t, a.portal, relay.Options{})
	s := settings{dir: t.TempDir(), array: a.over(r.Addr(), other.Addr()), lun: 1}
	for round := range 3 {
		r.Refuse(round == 1) // that life goes over the other portal
		g := startGateway(t, s)
		out := command(t, "qemu-io", "-f", "raw", "-c", fmt.Sprintf("read -P %d 0 64k", round), "-c", fmt.Sprintf("write -P %d 0 64k", round+1), g.url())
		if strings.Contains(out, "verification failed") {
			t.Fatalf("life %d reads other bytes:\n%s", round, out)
		}
		if g.status().Arrays[0].Unfenced {
			t.Error("tgtd can fence")
		}
		g.kill()
	}
}

// on-array-loss: commands are held, then NOT READY; NOPs and task management are answered meanwhile; all goes on by itself.
func TestAnArrayThatIsAwayIsHeldForThenNotReadyThenBack(t *testing.T) {
	a := startTgtd(t, tgtdOptions{})
	r := startRelay(t, a.portal, relay.Options{})
	g := startGateway(t, settings{array: a.over(r.Addr()), lun: 1, policy: "on-array-loss: hold 8s"})
	s, err := initiator.Dial(t.Context(), initiator.Options{Portal: g.portal, Target: demoTarget})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Abandon()
	read := func() error {
		c := &initiator.Command{In: make([]byte, 4096)}
		c.Read(1024, 8)
		return s.Do(t.Context(), c)
	}
	if err := s.Ready(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	r.Refuse(true)
	r.Cut(relay.Reset)
	began := time.Now()
	held := make(chan error, 1)
	go func() { held <- read() }()
	if err := s.ResetUnit(t.Context(), 0); err != nil { // answered although the read hangs: it is aborted
		t.Errorf("task management while the array is away: %v", err)
	}
	<-held
	for err = read(); initiator.IsUnitAttention(err); {
		err = read()
	}
	if took := time.Since(began); !notReady(err) || took < 7*time.Second || took > 24*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	if g.status().Volumes[0].Effective != "suspended" {
		t.Errorf("the status says %+v", g.status().Volumes[0])
	}
	r.Refuse(false)
	eventually(t, 20*time.Second, "the volume serves again", func() bool { return read() == nil })
}

func notReady(err error) bool {
	status, ok := err.(*initiator.StatusError) //nolint:errorlint // it comes unwrapped
	return ok && status.Key == initiator.SenseNotReady
}
