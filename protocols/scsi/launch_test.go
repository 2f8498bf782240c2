package scsi_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"forebay/protocols/scsi"
)

// launcher is a store that launches writes, each until a kick, and writes it down: "launch 8+2", "kick".
type launcher struct {
	*ledger
	refuse bool
	queue  []func()
}

func (l *launcher) LaunchWrite(_ context.Context, p []byte, off int64, done func(error)) bool {
	if l.refuse || len(p) == 0 {
		return false
	}
	err := l.note("launch", off, int64(len(p)), "")
	l.queue = append(l.queue, func() {
		if err == nil && l.Mem != nil {
			err = l.Mem.Write(context.Background(), p, off, false)
		}
		done(err)
	})
	return true
}

func (l *launcher) KickWrites() {
	l.calls = append(l.calls, "kick")
	list := l.queue
	l.queue = nil
	for _, f := range list {
		f()
	}
}

func newLaunchRig(t testing.TB, g scsi.Geometry) (*rig, *launcher) {
	t.Helper()
	r, l := newLedgerRig(t, g)
	s := &launcher{ledger: l}
	return newRigOver(r.t, g, s, l.Mem), s
}

// launch launches a command and kicks; false: the unit doesn't launch it. Whoever is told is told once, and not before the kick if the store has it.
func (r *rig) launch(l *launcher, c *scsi.Command) bool {
	r.t.Helper()
	told, before := 0, len(l.queue)
	launched := r.Launch(context.Background(), c, func() { told++ })
	if waits := len(l.queue) - before; launched && told+waits != 1 || !launched && told+waits != 0 {
		r.t.Errorf("%x: launched %v, told %d times, the store has %d", c.CDB, launched, told, waits)
	}
	r.Kick()
	if launched && told != 1 {
		r.t.Errorf("%x: told %d times", c.CDB, told)
	}
	return launched
}

func TestWritesAreLaunched(t *testing.T) {
	g := disk(512)
	g.Blocks = 1 << 20
	r, l := newLaunchRig(t, g)
	for _, opcode := range writeOpcodes {
		c := r.command(access(opcode, 0, 8, 2), make([]byte, 1024))
		if !r.launch(l, c) || verdict(c) != "GOOD" || c.Want != 1024 {
			t.Errorf("%02x: %s, %d bytes asked", opcode, verdict(c), c.Want)
		}
		r.asked(l.ledger, "launch 8+2", "kick")
	}
	if !r.launch(l, r.command(access(0x0a, 0, 0x080001, 1), make([]byte, 512))) { // that 0x08 is of the address
		t.Error("WRITE(6) is not launched")
	}
	r.asked(l.ledger, "launch 524289+1", "kick")
}

// What has to be durable, or is more than a write, or has nothing to write, waits.
func TestWhatIsMoreThanAWriteIsNotLaunched(t *testing.T) {
	r, l := newLaunchRig(t, disk(512))
	for opcode := range 256 {
		op := byte(opcode)
		if slices.Contains(writeOpcodes, op) {
			continue
		}
		if r.launch(l, r.command(access(op, 0, 0, 1), make([]byte, 512))) {
			t.Errorf("%02x is", op)
		}
	}
	for _, op := range writeOpcodes {
		if op != 0x0a && r.launch(l, r.command(access(op, fua, 0, 1), make([]byte, 512))) {
			t.Errorf("%02x with FUA is", op)
		}
		if r.launch(l, r.command(access(op, 0, 0, 1), nil)) {
			t.Errorf("%02x without data is", op)
		}
	}
	l.calls = nil
	l.refuse = true
	c := r.command(access(0x2a, 0, 8, 2), make([]byte, 1024))
	if r.launch(l, c) {
		t.Error("launched against the store's will")
	}
	l.calls = nil
	r.Execute(context.Background(), c)
	if r.asked(l.ledger, "write 8+2"); verdict(c) != "GOOD" || c.Want != 1024 {
		t.Errorf("%s, %d bytes asked", verdict(c), c.Want)
	}
	waits := newRig(t, disk(512)) // its store launches nothing
	waits.Kick()
	if waits.Launch(t.Context(), waits.command(access(0x2a, 0, 0, 1), make([]byte, 512)), func() { t.Error("told") }) {
		t.Error("launched by a store that can't")
	}
}

func TestALaunchedWriteEndsAsTheStoreSays(t *testing.T) {
	for err, want := range map[error]string{
		scsi.ErrNoSpace:           "7/27/07",
		scsi.ErrNotReady:          "2/04/01",
		scsi.ErrWriteProtected:    "7/27/00",
		errors.New("a bad block"): "3/0c/00",
	} {
		r, l := newLaunchRig(t, disk(512))
		l.fail = map[string]error{"launch": fmt.Errorf("array: %w", err)}
		c := r.command(access(0x2a, 0, 0, 1), make([]byte, 512))
		if !r.launch(l, c) || verdict(c) != want || c.Want != 512 {
			t.Errorf("%v: %s, %d bytes asked", err, verdict(c), c.Want)
		}
		r.sound(c)
	}
}

// A launched write ends as one that is executed: whatever the CDB, the data and the unit's state are.
func TestALaunchedWriteEndsAsOneThatIsExecuted(t *testing.T) {
	for name, x := range map[string]struct {
		state func(u *scsi.Unit)
		seen  []string
	}{
		"ready":          {func(*scsi.Unit) {}, []string{"GOOD", "5/0e/03", "5/21/00", "5/24/00"}},
		"reset":          {func(u *scsi.Unit) { u.Event(scsi.EventUnitReset, nil) }, []string{"6/29/03"}},
		"not ready":      {func(u *scsi.Unit) { u.SetReady(false) }, []string{"2/04/01", "5/24/00"}},
		"stopped":        {stop, []string{"2/04/02", "5/24/00"}},
		"read-only":      {func(u *scsi.Unit) { g := disk(512); g.ReadOnly = true; u.SetGeometry(g) }, []string{"6/2a/01", "7/27/00", "5/24/00"}},
		"without blocks": {func(u *scsi.Unit) { u.SetGeometry(scsi.Geometry{BlockSize: 512}) }, []string{"6/2a/09", "2/04/01", "5/24/00"}},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			a, l := newLaunchRig(t, disk(512))
			b := newRig(t, disk(512))
			content := pattern(16*512, 1)
			seen := map[string]bool{}
			for range 500 {
				cdb, n := randomWrite(random, a.g.Blocks)
				x.state(a.Unit)
				x.state(b.Unit)
				c, e := a.command(cdb, content[:n]), b.command(cdb, content[:n])
				c.Want, c.Status, e.Want, e.Status = 12345, scsi.StatusBusy, 12345, scsi.StatusBusy // of an earlier life
				if !a.launch(l, c) {
					t.Fatalf("%x is not launched", cdb)
				}
				b.Execute(t.Context(), e)
				if verdict(c) != verdict(e) || c.Want != e.Want || information(c) != information(e) || field(c) != field(e) {
					t.Errorf("%x with %d bytes: %s, %d asked; executed: %s, %d asked", cdb, n, verdict(c), c.Want, verdict(e), e.Want)
				}
				seen[verdict(c)] = true
			}
			a.holds(b.mem.Content())
			for _, how := range x.seen {
				if !seen[how] {
					t.Errorf("%s never came to pass", how)
				}
			}
		})
	}
}

// stop stops a unit, by a nexus that has its power on attention before.
func stop(u *scsi.Unit) {
	n := nexus("iqn.2026-11.example:b,i,0x1")
	for range 2 {
		c := &scsi.Command{Nexus: n}
		copy(c.CDB[:], startStop(0))
		execute(u, c)
	}
}

// randomWrite is a WRITE without FUA that may be wrong, and how many bytes come with it.
func randomWrite(random *rand.Rand, blocks uint64) (cdb []byte, n int) {
	opcode := writeOpcodes[random.IntN(len(writeOpcodes))]
	lba := random.Uint64N(64)
	if random.IntN(4) == 0 {
		lba = blocks - random.Uint64N(4)
	}
	flags := byte(0)
	if opcode != 0x0a && random.IntN(8) == 0 {
		flags = byte(random.IntN(256)) &^ fua
	}
	asks := uint32(random.IntN(9))
	if random.IntN(16) == 0 {
		asks = 2*scsi.MaxTransfer/512 - 1000 // more than any command takes
	}
	cdb = access(opcode, flags, lba, asks)
	if random.IntN(16) == 0 {
		cdb[len(cdb)-1] = 0x04 // NACA
	}
	n = 512 * (1 + random.IntN(16))
	if random.IntN(8) == 0 {
		n -= 1 + random.IntN(511)
	}
	return cdb, n
}
