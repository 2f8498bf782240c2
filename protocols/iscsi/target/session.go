package target

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/scsi"
)

// session is one initiator port at one target, or a discovery, over one connection.
type session struct {
	conn      *conn
	initiator string
	isid      [6]byte
	target    *Target // nil: a discovery session
	discovery bool
	tsih      uint16
	nexus     scsi.Nexus
	since     time.Time
	ended     chan struct{} // closed when no command of it can touch a medium any more

	ctx    context.Context // ends with the connection: commands stop
	cancel context.CancelFunc

	commands atomic.Uint64

	mu      sync.Mutex
	tasks   map[uint32]*task // by initiator task tag
	dying   map[*task]bool   // aborted, and a device has them yet
	urgent  int              // immediate commands in tasks
	closed  bool             // no goroutine of the session may begin any more
	running sync.WaitGroup   // its goroutines but for the reader; Add with mu held and closed false, or by one of them
}

func newSession(c *conn, l *login) *session {
	x := &session{conn: c, initiator: l.initiator, isid: l.isid, target: l.target, discovery: l.discovery, since: time.Now(),
		ended: make(chan struct{}), tasks: make(map[uint32]*task), dying: make(map[*task]bool)}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	if l.target != nil {
		x.nexus = scsi.Nexus{Initiator: fmt.Sprintf("%s,i,0x%x", l.initiator, l.isid), Target: l.target.Name, PortalTag: portalGroup, RelPort: portalGroup}
	}
	return x
}

// sameNexus says whether a login of o reinstates x (RFC 7143 6.3.5).
func (x *session) sameNexus(o *session) bool {
	return !x.discovery && !o.discovery && x.initiator == o.initiator && x.isid == o.isid && x.target.Name == o.target.Name
}

// device finds the device of a LUN as it came over the wire.
func (x *session) device(lun []byte) (scsi.Device, uint64) {
	unit, ok := scsi.DecodeLUN(lun)
	if !ok {
		return nil, noUnit
	}
	return x.target.LUNs()[unit], unit
}

func (x *session) luns() []uint64 { return slices.Collect(maps.Keys(x.target.LUNs())) }

func (x *session) inFlight() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.tasks)
}

// begin admits a goroutine, which calls x.running.Done at its end.
func (x *session) begin() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.closed {
		x.running.Add(1)
	}
	return !x.closed
}

// knows says whether a tag is in use.
func (x *session) knows(tag uint32) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, used := x.tasks[tag]
	return used
}

// crowdedWithImmediate says whether there are too many immediate commands to take another.
func (x *session) crowdedWithImmediate() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.urgent >= maxImmediate
}

// add enters a task, held by the caller.
func (x *session) add(t *task) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.holders++
	x.tasks[t.tag] = t
	if t.immediate {
		x.urgent++
	}
}

// remove takes t out of the table. Preconditions: x.mu is held.
func (x *session) remove(t *task) {
	if x.tasks[t.tag] == t {
		delete(x.tasks, t.tag)
		if t.immediate {
			x.urgent--
		}
	}
}

// hold returns the task of a tag that still collects data, held by the caller, or nil.
func (x *session) hold(tag uint32) *task {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tasks[tag]
	if t == nil || t.state != collecting {
		return nil
	}
	t.holders++
	return t
}

// letGo gives up a hold. The last holder of an aborted task recycles it.
func (x *session) letGo(t *task) {
	x.mu.Lock()
	t.holders--
	last := t.aborted && t.holders == 0
	x.mu.Unlock()
	if last {
		x.conn.recycle(t)
	}
}

// wait turns the caller's hold into one of the budget's line; false: t has been aborted, and the hold is given up.
func (x *session) wait(t *task) bool { return x.turn(t, waiting) }

// claim turns the caller's hold into the execution of t; false: it has been aborted, and the hold is given up.
func (x *session) claim(t *task) bool { return x.turn(t, running) }

func (x *session) turn(t *task, to taskState) bool {
	x.mu.Lock()
	if t.aborted {
		x.mu.Unlock()
		x.letGo(t)
		return false
	}
	if t.state = to; to == running {
		t.holders--
	}
	x.mu.Unlock()
	return true
}

// abort ends the tasks that which picks without an answer, and returns what to wait for until the devices have returned from them, and from those
// that it picks of what was aborted before.
func (x *session) abort(which func(*task) bool) (wait []<-chan struct{}) {
	x.mu.Lock()
	var alone []*task
	for t := range x.dying {
		if which(t) {
			wait = append(wait, t.end())
		}
	}
	for _, t := range x.tasks {
		if !which(t) {
			continue
		}
		x.remove(t)
		t.aborted = true
		switch {
		case t.state == running:
			switch {
			case t.cancel != nil:
				t.cancel()
			case t.life != nil:
				t.life.revoke()
			}
			x.dying[t] = true
			wait = append(wait, t.end())
		case t.holders == 0:
			alone = append(alone, t)
		}
		x.conn.giveBack(!t.immediate && !t.early)
	}
	goesOn := len(alone) > 0 && !x.closed
	if goesOn {
		x.running.Add(1)
	}
	x.mu.Unlock()
	for _, t := range alone {
		x.conn.recycle(t)
	}
	if goesOn { // the memory given back may begin what waited for it; the caller may be another session's and can't wait for our peer
		go func() {
			defer x.running.Done()
			_ = x.conn.out.flush()
		}()
	}
	return wait
}

// wanted says whether t has not been aborted.
func (x *session) wanted(t *task) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !t.aborted
}

// executing returns what is closed when some task that a device has is at its end, or nil if there is none.
func (x *session) executing() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.tasks {
		if t.state == running {
			return t.end()
		}
	}
	return nil
}

// giveBack returns a command's place in the window without an answer, if it took one.
func (c *conn) giveBack(took bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.window.answered(took, c.budget.crowded())
}

// everything picks all tasks.
func everything(*task) bool { return true }
