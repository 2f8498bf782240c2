package integration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/integration/relay"
	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

// tgtdOptions are what a test wants of its array; the zero value is one LUN of 64 MiB that answers what it has on disk.
type tgtdOptions struct {
	dir        string // of the disks, which are taken as they are if they are there; empty: a folder of the test
	size       int64  // bytes of each LUN
	luns       int    // LUN 1 and so on: 0 is tgtd's controller
	blockSize  int    // bytes; 512
	thin       bool
	writeCache bool              // WCE
	bsoflags   string            // "sync", "direct", "sync:direct"
	digests    bool              // CRC32C, if the initiator offers it
	chap       iscsi.Credentials // what initiators must prove, and what the target proves
}

// tgtd is a running array. Its LUNs keep their names as long as identity stays what it is: a restart with another one puts another array in
// the same place.
type tgtd struct {
	*process       // that runs now
	t              testing.TB
	options        tgtdOptions
	portal, target string
	identity       int
	control        string // number of the control port
}

// startTgtd runs tgtd on a port of its own until the end of the test.
func startTgtd(t testing.TB, o tgtdOptions) *tgtd {
	t.Helper()
	need(t, "tgtd", "tgtadm")
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	o.size, o.luns, o.blockSize = cmp.Or(o.size, 64<<20), cmp.Or(o.luns, 1), cmp.Or(o.blockSize, 512)
	a := &tgtd{t: t, options: o, portal: freePort(t)}
	_, text, _ := net.SplitHostPort(a.portal)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	a.identity = port
	a.target = fmt.Sprintf("iqn.2026-11.example:array-%d", port)
	a.control = strconv.Itoa(port & 0x7fff) // tgtd keeps it in a short
	t.Cleanup(a.sweep)
	a.makeDisks()
	a.run()
	return a
}

func (a *tgtd) makeDisks() {
	a.t.Helper()
	for lun := 1; lun <= a.options.luns; lun++ {
		f, err := os.OpenFile(a.disk(lun), os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil {
			err = f.Truncate(a.options.size)
			f.Close()
		}
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

// disk is the file behind a LUN.
func (a *tgtd) disk(lun int) string {
	return filepath.Join(a.options.dir, fmt.Sprintf("lun%d.img", lun))
}

// url is a LUN as libiscsi's programs want it, without credentials.
func (a *tgtd) url(lun int) string { return fmt.Sprintf("iscsi://%s/%s/%d", a.portal, a.target, lun) }

// run starts the process and returns once initiators may log in. Until its end they are told that there is no such target, or are forbidden
// to use it.
func (a *tgtd) run() {
	a.t.Helper()
	a.process = start(a.t, "tgtd", "-f", "-C", a.control, "--iscsi", "portal="+a.portal)
	eventually(a.t, 20*time.Second, "tgtd answers", func() bool {
		return exec.Command("tgtadm", "-C", a.control, "--mode", "sys", "--op", "show").Run() == nil
	})
	a.adm("target", "new", "--tid=1", "--targetname", a.target)
	for lun := 1; lun <= a.options.luns; lun++ {
		a.addUnit(lun)
	}
	if a.options.digests {
		a.adm("target", "update", "--tid=1", "--name=HeaderDigest", "--value=CRC32C")
		a.adm("target", "update", "--tid=1", "--name=DataDigest", "--value=CRC32C")
	}
	a.protect()
	a.adm("target", "bind", "--tid=1", "--initiator-address", "ALL")
}

// adm runs tgtadm.
func (a *tgtd) adm(mode, op string, args ...string) string {
	a.t.Helper()
	return command(a.t, "tgtadm", append([]string{"-C", a.control, "--lld", "iscsi", "--mode", mode, "--op", op}, args...)...)
}

func (a *tgtd) addUnit(lun int) {
	a.t.Helper()
	number := strconv.Itoa(lun)
	args := []string{"--tid=1", "--lun", number, "--backing-store", a.disk(lun), "--blocksize", strconv.Itoa(a.options.blockSize)}
	if a.options.bsoflags != "" {
		args = append(args, "--bsoflags", a.options.bsoflags)
	}
	a.adm("logicalunit", "new", args...)
	flags := byte(0x10) // DISC, as tgtd has it
	if a.options.writeCache {
		flags |= 0x04 // WCE
	}
	a.adm("logicalunit", "update", "--tid=1", "--lun", number, "--params", strings.Join([]string{
		fmt.Sprintf("scsi_id=6%023x%08x", a.identity, lun), // tgtd makes the NAA name of it (VPD page 83h)
		fmt.Sprintf("scsi_sn=%08x%04x", a.identity, lun),
		fmt.Sprintf("mode_page=8:0:18:%#x:0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0", flags), // caching (SBC-3 6.4.5)
		fmt.Sprintf("thin_provisioning=%d", map[bool]int{true: 1}[a.options.thin]),
	}, ","))
}

// protect sets up CHAP.
func (a *tgtd) protect() {
	a.t.Helper()
	c := a.options.chap
	if c.User != "" {
		a.adm("account", "new", "--user", c.User, "--password", c.Secret)
		a.adm("account", "bind", "--tid=1", "--user", c.User)
	}
	if c.MutualUser != "" {
		a.adm("account", "new", "--user", c.MutualUser, "--password", c.MutualSecret)
		a.adm("account", "bind", "--tid=1", "--user", c.MutualUser, "--outgoing")
	}
}

// restart kills it and runs it again: same place, same disks, same names.
func (a *tgtd) restart() {
	a.t.Helper()
	a.kill()
	a.run()
}

// pause stops it where it is: connections stay, nothing is answered, until resume.
func (a *tgtd) pause()  { a.signal(syscall.SIGSTOP) }
func (a *tgtd) resume() { a.signal(syscall.SIGCONT) }

// sweep removes what a killed tgtd leaves.
func (a *tgtd) sweep() {
	socket := "/var/run/tgtd/socket." + a.control
	_ = os.Remove(socket)
	_ = os.Remove(socket + ".lock")
}

// startRelay leads to upstream until the end of the test.
func startRelay(t testing.TB, upstream string, o relay.Options) *relay.Relay {
	t.Helper()
	r, err := relay.New(upstream, o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve() }()
	t.Cleanup(func() {
		r.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r
}

// arrived waits until a task is held.
func arrived(t testing.TB, h *relay.Held) {
	t.Helper()
	select {
	case <-h.Arrived():
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is held")
	}
}

func TestTgtdComesBackAsTheSameArray(t *testing.T) {
	need(t, "iscsi-inq", "qemu-io")
	a := startTgtd(t, tgtdOptions{luns: 2, blockSize: 4096, thin: true, bsoflags: "sync"})
	names := func(lun int) string {
		return command(t, "iscsi-inq", "--evpd=1", "--pagecode=131", a.url(lun))
	}
	first, second := names(1), names(2)
	command(t, "qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 1M", a.url(2))
	a.restart()
	if names(1) != first || names(2) != second || first == second {
		t.Errorf("the LUNs have other names:\n%s\n%s", names(1), names(2))
	}
	if out := command(t, "qemu-io", "-f", "raw", "-c", "read -P 0x5a 1M 1M", a.url(2)); strings.Contains(out, "verification failed") {
		t.Errorf("the data has gone: %s", out)
	}
	a.identity++
	a.restart()
	if names(1) == first {
		t.Error("another array has the same names")
	}
}

func TestTgtdIsReachedThroughARelay(t *testing.T) {
	need(t, "iscsi-inq")
	chap := iscsi.Credentials{User: "gateway", Secret: "a-long-secret-1", MutualUser: "array", MutualSecret: "a-long-secret-2"}
	a := startTgtd(t, tgtdOptions{chap: chap, digests: true})
	r := startRelay(t, a.portal, relay.Options{ISCSI: true, HeaderDigest: true, DataDigest: true})
	s := a.login(r.Addr(), [6]byte{})
	if err := s.Ready(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	held := r.Hold(relay.WriteTo(5))
	done := make(chan error, 1)
	go func() { done <- fill(t.Context(), s, 5, 'A') }()
	arrived(t, held)
	held.Release()
	if err := <-done; err != nil || content(t, s, 5) != 'A' {
		t.Errorf("a write that was held for a while: %v", err)
	}
	if n := r.Cut(relay.Reset); n != 1 {
		t.Errorf("%d connections were cut", n)
	}
	<-s.Over()

	plain := startRelay(t, a.portal, relay.Options{})
	command(t, "iscsi-inq", strings.NewReplacer(a.portal, plain.Addr(), "iscsi://", "iscsi://gateway%a-long-secret-1@").Replace(a.url(1)))
}

func TestPausedTgtdAnswersOnceItIsResumed(t *testing.T) {
	a := startTgtd(t, tgtdOptions{})
	s := a.login(a.portal, [6]byte{})
	a.pause()
	answered := make(chan struct{})
	if err := s.Submit(&initiator.Command{LUN: 1, Done: func(*initiator.Command) { close(answered) }}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-answered:
		t.Error("an array that is paused answers")
	case <-time.After(50 * time.Millisecond):
	}
	a.resume()
	<-answered
}

// login makes a session at a portal that leads to the array. It ends with the test.
func (a *tgtd) login(portal string, isid [6]byte) *initiator.Session {
	a.t.Helper()
	o := initiator.Options{Portal: portal, Target: a.target, CHAP: a.options.chap, ISID: isid}
	if a.options.digests {
		o.Limits.Digests = iscsi.DigestsRequired
	}
	s, err := initiator.Dial(a.t.Context(), o)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(s.Abandon)
	return s
}

// The scenario of PROTOCOL D2, without a gateway: two WRITEs are held while their session is cut and their blocks are written again by the
// next one. tgtd executes them when they come, unless the next session reinstates theirs, with which their connection ends. A LOGICAL UNIT
// RESET alone leaves a unit attention behind, and that stops only the first.
func TestHeldWritesLandOnTgtdUnlessTheirSessionIsReinstated(t *testing.T) {
	first, second := [6]byte{0x80, 1}, [6]byte{0x80, 2}
	for name, c := range map[string]struct {
		next  [6]byte // ISID of the session that comes after
		reset bool
		lands [2]bool
	}{
		"another session":         {second, false, [2]bool{true, true}},
		"another session, reset":  {second, true, [2]bool{false, true}},
		"the session, reinstated": {first, false, [2]bool{}},
	} {
		t.Run(name, func(t *testing.T) {
			a := startTgtd(t, tgtdOptions{})
			r := startRelay(t, a.portal, relay.Options{ISCSI: true})
			held := a.loseWrites(r, first)
			s := a.login(r.Addr(), c.next)
			if c.reset {
				if err := s.ResetUnit(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
			for i := range held {
				if err := fill(t.Context(), s, i, 'B'); err != nil {
					t.Fatal(err)
				}
			}
			for i, h := range held {
				h.Release()
				late, err := h.Answer(t.Context())
				if landed := err == nil && late.Status() == initiator.StatusGood; landed != c.lands[i] {
					t.Errorf("late write %d: %x, %v", i, late, err)
				}
				if content := content(t, s, i); (content == 'A') != c.lands[i] {
					t.Errorf("block %d has %q", i, content)
				}
			}
		})
	}
}

// loseWrites fills two blocks with 'A' in a session whose connection is cut while both writes are held.
func (a *tgtd) loseWrites(r *relay.Relay, isid [6]byte) (held [2]*relay.Held) {
	a.t.Helper()
	s := a.login(r.Addr(), isid)
	if err := s.Ready(a.t.Context(), 1); err != nil {
		a.t.Fatal(err)
	}
	lost := make(chan error, len(held))
	for i := range held {
		held[i] = r.Hold(relay.WriteTo(uint64(i)))
		go func() { lost <- fill(a.t.Context(), s, i, 'A') }()
		arrived(a.t, held[i])
	}
	r.Cut(relay.Reset)
	for range held {
		if err := <-lost; !errors.Is(err, initiator.ErrOutcomeUnknown) {
			a.t.Fatalf("a held write ended with %v", err)
		}
	}
	return held
}

// fill writes a block of 512 bytes of LUN 1 past the unit attentions of a new session.
func fill(ctx context.Context, s *initiator.Session, block int, with byte) error {
	c := &initiator.Command{LUN: 1, Out: bytes.Repeat([]byte{with}, 512)}
	c.Write(uint64(block), 1, false)
	err := s.Do(ctx, c)
	for initiator.IsUnitAttention(err) {
		err = s.Do(ctx, c)
	}
	return err
}

func content(t testing.TB, s *initiator.Session, block int) byte {
	t.Helper()
	c := &initiator.Command{LUN: 1, In: make([]byte, 512)}
	c.Read(uint64(block), 1)
	if err := s.Do(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c.In[0]
}
