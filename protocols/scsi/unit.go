package scsi

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// MaxTransfer is the longest READ or WRITE in bytes, as the Block Limits page says it. No command takes more data-out.
const MaxTransfer = 4 << 20

// Unit is a direct access block device over a Store (SBC-3). It is safe for concurrent use.
//
// Its states: not ready (no geometry yet, or the array is away) and ready; across that, stopped and started (START STOP UNIT). Only
// commands that touch the medium care. Unit attentions are kept per nexus.
type Unit struct {
	identity Identity
	store    Store
	launcher WriteLauncher // the store, if it is one; else nil
	log      zerolog.Logger
	base     *baseServer

	operations *[256][]operation

	geometry  atomic.Pointer[Geometry]
	ready     atomic.Bool
	stopped   atomic.Bool
	protected atomic.Bool // SWP of the control mode page

	nexuses  sync.Map // *Nexus -> *attentions
	departed departed
}

// UnitOptions are what a Unit is made of.
type UnitOptions struct {
	Identity Identity
	Store    Store
	Logger   zerolog.Logger
}

// NewUnit returns a unit that is not ready: SetGeometry and SetReady make it so.
func NewUnit(o UnitOptions) *Unit {
	u := &Unit{identity: o.Identity, store: o.Store, log: o.Logger, operations: newOperations()}
	u.geometry.Store(&Geometry{BlockSize: 512, PhysicalBlock: 512})
	u.launcher, _ = o.Store.(WriteLauncher)
	u.base = newBaseServer(u)
	return u
}

// SetGeometry says what the unit is from now on. What changes of it is told to every nexus, by where initiators have read it.
func (u *Unit) SetGeometry(g Geometry) {
	before := *u.geometry.Swap(&g)
	if before.Blocks > 0 && before.capacityData() != g.capacityData() { // without blocks nobody was told
		u.attend(nil, senseCapacityChanged)
	}
	if before.WriteCache != g.WriteCache || before.ReadOnly != g.ReadOnly {
		u.attend(nil, senseModeChanged)
	}
	if before.productData() != g.productData() {
		u.attend(nil, senseInquiryChanged)
	}
}

// capacityData is what READ CAPACITY(16) tells.
func (g Geometry) capacityData() Geometry {
	g.UnmapGrain, g.WriteCache, g.ReadOnly = 0, false, false
	return g
}

// productData is what the pages of INQUIRY tell.
func (g Geometry) productData() Geometry {
	g.Blocks, g.ReadOnly = 0, false
	return g
}

// SetReady says whether commands that touch the medium are served. If not they end with NOT READY, becoming ready; and so they do
// while there are no blocks, a capacity that can't be told.
func (u *Unit) SetReady(ready bool) { u.ready.Store(ready) }

func (u *Unit) isReady() bool { return u.ready.Load() && u.geometry.Load().Blocks > 0 }

// Inline implements Device. The path of a READ that hits: one table look-up, one attention look-up, the store.
func (u *Unit) Inline(c *Command) bool {
	op := u.lookup(c)
	if op == nil || op.flags&(quick|reads) == 0 {
		return false
	}
	if op.flags&reads != 0 {
		return u.readNow(op, c)
	}
	u.execute(context.Background(), op, c)
	return true
}

// Execute implements Device.
func (u *Unit) Execute(ctx context.Context, c *Command) {
	u.execute(ctx, u.lookup(c), c)
}

func (u *Unit) execute(ctx context.Context, op *operation, c *Command) {
	if u.begin(op, c) {
		op.run(u, ctx, c)
	}
}

// begin is what comes before a command itself; false: it has ended with that.
func (u *Unit) begin(op *operation, c *Command) bool {
	c.Status, c.Want = StatusGood, 0
	if op == nil {
		u.unsupported(c)
		return false
	}
	return u.admit(op, c)
}

// unsupported tells an unknown opcode from a known one with an unknown service action.
func (u *Unit) unsupported(c *Command) {
	if len(u.offered(c.CDB[0])) > 0 {
		c.invalidField(1)
		return
	}
	u.base.serve(c)
}

// admit checks what comes before the command itself, in the order of SAM-5 5.14 and SPC-5 4.4: attentions, the control byte,
// readiness, write protection.
func (u *Unit) admit(op *operation, c *Command) bool {
	a := u.attentionsOf(c.Nexus)
	if op.flags&passesAttention == 0 && a.pending.Load() != 0 {
		if s, ok := a.take(); ok {
			c.check(s)
			return false
		}
	}
	if at := op.controlByte(); c.CDB[at]&naca != 0 {
		c.invalidField(at)
		return false
	}
	if op.flags&medium != 0 {
		if !u.isReady() {
			c.check(senseBecomingReady)
			return false
		}
		if u.stopped.Load() {
			c.check(senseStopped)
			return false
		}
	}
	if op.flags&writes != 0 && (u.protected.Load() || u.geometry.Load().ReadOnly) {
		c.check(senseWriteProtected)
		return false
	}
	return true
}

// naca is the bit of the control byte that asks for ACA, which is not offered (SAM-5 5.2).
const naca = 0x04
