package rpc

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"forebay/protocols/nfs/xdr"
)

// Call is one call at a server. The server fills the first part, the program the second.
type Call struct {
	CallHeader
	Remote netip.AddrPort // whence it came; the zero value if that is no Internet address
	Args   []byte         // a view, valid until the call has been answered

	Results xdr.Encoder // the header of the reply stands in it already
	Data    Data        // follows Results, is padded, and is released when it has been sent

	verdict error
	head    []byte // of Results
	short   []byte // of Args, when they had to be copied
	memory  memory // of Args, when they had their own
	conn    *conn  // nil: a datagram
	counted bool   // against the quota of calls
}

const keepMax = 64 << 10 // bytes of a call's memory that are kept for the next one

// Fail answers the call with an AcceptStatus (GarbageArgs, ProcUnavail, SystemErr), an AuthStatus or a *MismatchError instead of results.
func (c *Call) Fail(verdict error) { c.verdict = verdict }

// begin decodes the header of a record and starts the reply. It returns an error if there is nobody to answer; another answer than
// results may be set by then.
func (c *Call) begin(record []byte) error {
	d := xdr.NewDecoder(record)
	err := c.Decode(&d)
	if errors.Is(err, ErrProtocol) {
		return err
	}
	c.verdict = err
	c.Args = d.Rest()
	c.Results = xdr.NewEncoder(c.head[:0])
	c.Results.Uint32(0)
	encodeReply(&c.Results, c.XID, nil)
	return nil
}

// detach makes Args and credentials the call's own.
func (c *Call) detach() {
	if c.memory.from != nil {
		return
	}
	machine := len(c.Cred.Machine)
	c.short = append(append(c.short[:0], c.Cred.Machine...), c.Args...)
	c.Cred.Machine, c.Args = c.short[:machine], c.short[machine:]
}

// seal ends the reply and returns what stands before the data, with the record mark.
func (c *Call) seal() []byte {
	if c.verdict != nil {
		c.Data.Release()
		c.Results.Truncate(markLength)
		encodeReply(&c.Results, c.XID, c.verdict)
	}
	p, n := c.Results.Bytes(), c.Data.Len()
	binary.BigEndian.PutUint32(p, lastFragment|uint32(len(p)-markLength+n+xdr.Pad(n)))
	return p
}

// left is called when the reply does not refer to the call's memory any more.
func (c *Call) left() { c.conn.recycle(c) }

// reset forgets everything but memory for the next call.
func (c *Call) reset() {
	c.Data.Release()
	head, short, conn, remote, data := c.Results.Bytes(), c.short, c.conn, c.Remote, c.Data
	if cap(head) < cap(c.head) {
		head = c.head
	}
	if cap(head) > keepMax {
		head = nil
	}
	*c = Call{Remote: remote, Data: data, head: head[:0], short: short[:0], conn: conn}
}
