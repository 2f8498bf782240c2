// Package scsi is the SCSI device server: SAM-5 commands in, status, sense and data out, for one logical unit over a Store. It knows
// no transport and no cache; protocols/iscsi/target serves its Device, gateway gives it a Store.
package scsi

import (
	"context"
	"errors"
)

// Device is one logical unit as a transport sees it.
type Device interface {
	// Inline executes c if that needs no waiting (no I/O, no lock that is held over I/O), and says whether it did. If not,
	// c is unchanged and the caller calls Execute. It allocates nothing for a READ that the cache answers.
	Inline(c *Command) bool
	// Execute executes c to its end. When ctx is cancelled (task management, a lost session) it returns as soon as c can
	// no longer touch the medium, with c's outcome unspecified. c and its buffers are the device's until then.
	Execute(ctx context.Context, c *Command)
	// Event tells the device of what befell it or one of its nexuses.
	Event(e Event, n *Nexus)
}

// Launcher is a Device that may take a command without having its caller wait.
type Launcher interface {
	// Launch executes c without having its caller wait, if it can, and says whether it does. It may wait for a Kick, which the caller sees to before he
	// waits for anything. done is called once when c is executed, in Launch, in a Kick or from another goroutine, and does not block. If not, the caller
	// calls Execute. When ctx is cancelled, a command that waits, for others or for its medium, is given up as by Execute; what doesn't wait is executed.
	Launch(ctx context.Context, c *Command, done func()) bool
	// Kick has executed what has been launched, or begins that.
	Kick()
}

// Event is what a transport tells a Device.
type Event int

const (
	// EventNexusLoss: n is gone (session ended). What the device keeps for n is dropped.
	EventNexusLoss Event = iota
	// EventUnitReset: LOGICAL UNIT RESET or TARGET RESET asked by n (nil: by the target). The transport has already aborted
	// the tasks; the device establishes unit attentions for all nexuses and drops what a reset drops (SAM-5 6.3.3).
	EventUnitReset
	// EventTasksCleared: CLEAR TASK SET by n aborted tasks of the other nexuses.
	EventTasksCleared
)

// Nexus is an I_T nexus: one initiator port (iSCSI name and ISID) at one target port. The transport makes one per session
// and keeps its address while the session lives.
type Nexus struct {
	Initiator string // initiator port name: iSCSI name + ",i,0x" + ISID (RFC 7143 4.4.3)
	Target    string // target name
	PortalTag uint16 // target portal group tag
	RelPort   uint16 // relative target port identifier
}

// Command is one SCSI command. The transport fills the first part and reads the second after Inline or Execute.
type Command struct {
	Nexus   *Nexus
	CDB     [16]byte // zero padded; longer CDBs are refused by the transport before
	DataOut []byte   // all parameter or write data that came, in memory that stays valid until the command ends

	Room int // bytes of data-in that the initiator takes; more of a READ need not be fetched

	Data   Data // data-in, released by the transport after sending
	Want   int  // bytes that the CDB asks to transfer, either way: the base of residuals. -1: as many as came
	Status Status
	sense  [senseMax]byte
	nsense int
}

// Store is the medium of a logical unit, as the device server needs it. Offsets and lengths are bytes, multiples of the logical
// block, already checked against the capacity. Errors are those below; any other error is a medium error.
type Store interface {
	// ReadNow appends the range to d if all of it can be had without waiting, else appends nothing and says false.
	ReadNow(d *Data, off int64, n int) bool
	// Read appends the range to d.
	Read(ctx context.Context, d *Data, off int64, n int) error
	// Write writes p; with fua it is durable before Write returns.
	Write(ctx context.Context, p []byte, off int64, fua bool) error
	// Flush makes every answered write durable.
	Flush(ctx context.Context) error
	// Discard gives back or zeroes a range, as mode says.
	Discard(ctx context.Context, off, n int64, mode DiscardMode) error
}

// WriteLauncher is a Store that may take a write without having its caller wait.
type WriteLauncher interface {
	// LaunchWrite begins a write that need not be durable, or says false and does nothing. It may wait for KickWrites. done is called once, in there or
	// from another goroutine, with what Write would have returned, and does not block. p is the store's until then. When ctx is cancelled, a write that
	// waits, for others or for the medium, is given up as by Write; what doesn't wait is done.
	LaunchWrite(ctx context.Context, p []byte, off int64, done func(error)) bool
	// KickWrites has done what has been launched, or begins that.
	KickWrites()
}

// DiscardMode says what becomes of a range.
type DiscardMode int

const (
	Unmap     DiscardMode = iota // its space is given back; it reads as Geometry.ZeroesOnUnmap says
	UnmapZero                    // it reads as zeros, and its space may be given back
	Zero                         // it reads as zeros and keeps its space
)

// The errors of a Store; sense.go turns them into sense data.
var (
	ErrNotReady       = errors.New("logical unit not ready")  // 02h/04h/01h becoming ready: array away
	ErrNoSpace        = errors.New("space allocation failed") // 07h/27h/07h
	ErrWriteProtected = errors.New("write protected")         // 07h/27h/00h
	ErrReservation    = errors.New("reservation conflict at the array")
)

// Geometry is what a logical unit is; it may change while served (Unit.SetGeometry), which establishes unit attentions.
type Geometry struct {
	BlockSize     int // logical block, bytes: 512 or 4096
	PhysicalBlock int // bytes
	Blocks        uint64
	Thin          bool // LBPME: UNMAP and WRITE SAME with UNMAP are offered
	ZeroesOnUnmap bool // LBPRZ
	UnmapGrain    int  // blocks; 0: not reported
	WriteCache    bool // WCE: an acknowledged write may be volatile
	ReadOnly      bool
}

// Identity names a logical unit for ever.
type Identity struct {
	NAA     [16]byte // NAA 6, SPC-5 7.8.6.6
	Serial  string   // VPD 80h
	Vendor  string   // 8 characters
	Product string   // 16
	Name    string   // volume name; with the serial the T10 vendor designator
}
