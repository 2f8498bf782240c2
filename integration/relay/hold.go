package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"forebay/protocols/iscsi"
)

// ErrUnanswered is the answer to a task whose connection the server ended first.
var ErrUnanswered = errors.New("relay: the server ended the connection without an answer to the held task")

// PDU is a request as Hold sees it. It is valid during the call.
type PDU struct {
	iscsi.Header
	Connection int // the first that the relay accepted is 1
}

// Write says what blocks a SCSI Command with a WRITE(10) or WRITE(16) is for (SBC-3 5.32, 5.34).
func (p PDU) Write() (lba uint64, blocks uint32, ok bool) {
	if p.Opcode() != iscsi.OpSCSICommand {
		return 0, 0, false
	}
	switch cdb := p.CDB(); cdb[0] {
	case 0x2a:
		return uint64(binary.BigEndian.Uint32(cdb[2:])), uint32(binary.BigEndian.Uint16(cdb[7:])), true
	case 0x8a:
		return binary.BigEndian.Uint64(cdb[2:]), binary.BigEndian.Uint32(cdb[10:]), true
	}
	return 0, 0, false
}

// WriteTo matches the commands that write a logical block.
func WriteTo(block uint64) func(PDU) bool {
	return func(p PDU) bool {
		lba, n, ok := p.Write()
		return ok && lba <= block && block-lba < uint64(n)
	}
}

// Held is one task that a test has stopped, or is about to: the PDU that was matched and those that come after it with its tag.
type Held struct {
	relay   *Relay
	match   func(PDU) bool
	arrived chan struct{}
	once    sync.Once

	parcel      // guarded by the gate, as is
	final  bool // the PDU that is coming is the last of its sequence

	gate *gate // guarded by Relay.mu; nil: not met yet

	// Guarded by link.mu.
	tag    uint32
	let    bool          // go
	answer iscsi.Header  // of the server; nil: none yet
	over   chan struct{} // closed once there is an answer, or never will be
}

// Hold stops the next request of a client that match accepts (nil: any), and all that belongs to its task: it reaches the server after
// Release, even if the client's connection has ended by then; the server's stays open until the server has answered the task. Other
// requests pass; but a server executes commands in the order of their numbers, so those after a held command wait there, unless
// they are immediate. match is called with one PDU at a time and must not call the relay, which must be one with Options.ISCSI.
func (r *Relay) Hold(match func(PDU) bool) *Held {
	if !r.opts.ISCSI {
		panic("relay: Hold on a relay that is not for iSCSI")
	}
	h := &Held{relay: r, match: match, arrived: make(chan struct{}), over: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.holds = append(r.mu.holds, h)
	return h
}

// Arrived is closed once the task is stopped with all the data that the client sends without being asked for.
func (h *Held) Arrived() <-chan struct{} { return h.arrived }

// Release lets it go on, and returns once the bytes are in the line to the server. A task that has not arrived yet won't stop.
func (h *Held) Release() {
	h.relay.mu.Lock()
	h.relay.mu.holds = slices.DeleteFunc(h.relay.mu.holds, func(other *Held) bool { return other == h })
	gate := h.gate
	h.relay.mu.Unlock()
	if gate != nil {
		gate.release(h)
	}
}

// Answer waits for the PDU with which the server ends the task, whether there is still a client for it or not.
func (h *Held) Answer(ctx context.Context) (iscsi.Header, error) {
	select {
	case <-h.over:
		if h.answer == nil {
			return nil, ErrUnanswered
		}
		return h.answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (h *Held) arrive() { h.once.Do(func() { close(h.arrived) }) }

// match gives a PDU to the hold that waits for it.
func (r *Relay) match(p PDU, g *gate) *Held {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.mu.holds, func(h *Held) bool { return h.match == nil || h.match(p) })
	if i < 0 {
		return nil
	}
	h := r.mu.holds[i]
	h.gate = g
	r.mu.holds = slices.Delete(r.mu.holds, i, i+1)
	return h
}
