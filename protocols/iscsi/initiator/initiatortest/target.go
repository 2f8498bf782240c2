// Package initiatortest is a target in the memory of the process, to test initiators and their users with: one LUN with persistent
// reservations, no caches, and a place to misbehave at. It serves what a test needs, not what RFC 7143 and SPC-4 ask.
package initiatortest

import (
	"io"
	"net"
	"sync"
	"testing"

	"forebay/protocols/iscsi"
)

// Name is the name of the target.
const Name = "iqn.2026-11.io.forebay:test"

// BlockSize of the LUN, in bytes.
const BlockSize = 512

// Target listens on a port of its own. The fields may be set until Portal or URL is called, which begins to accept.
type Target struct {
	Limits    iscsi.Limits                                    // what it agrees to
	Strict    bool                                            // InitialR2T=Yes and ImmediateData=No
	Window    uint32                                          // commands; 0: 64
	CHAP      *iscsi.Credentials                              // what initiators must prove
	Group     string                                          // TargetPortalGroupTag; empty: it tells none
	Redirect  string                                          // answer logins with this TargetAddress
	Records   []iscsi.KeyValue                                // the answer to SendTargets
	Unfenced  bool                                            // no persistent reservations
	Intercept func(c *Conn, h iscsi.Header, data []byte) bool // of the full feature phase; true: it has dealt with the PDU

	// What the LUN tells of itself, whole, with its headers; what is nil it does not know.
	Vital      map[byte][]byte // pages of vital product data
	Mode       []byte          // the answer to MODE SENSE(6)
	PortGroups []byte          // the answer to REPORT TARGET PORT GROUPS

	mu       sync.Mutex
	memory   []byte
	reserved reservations
	conns    map[*Conn]struct{}
	listener net.Listener
	begin    sync.Once
	serving  sync.WaitGroup
}

// New returns a target with a LUN of size bytes; it ends with the test.
func New(t testing.TB, size int) *Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &Target{memory: make([]byte, size), conns: make(map[*Conn]struct{}), listener: l}
	x.Limits = iscsi.Limits{MaxRecv: 64 << 10, MaxSend: 64 << 10, MaxBurst: 128 << 10, FirstBurst: 32 << 10, MaxOutstandingR2T: 4}
	t.Cleanup(func() {
		_ = l.Close()
		x.Drop()
		x.serving.Wait()
	})
	return x
}

// Portal is where it listens.
func (x *Target) Portal() string {
	x.begin.Do(func() { x.serving.Go(x.accept) })
	return x.listener.Addr().String()
}

// URL names its LUN.
func (x *Target) URL() string { return "iscsi://" + x.Portal() + "/" + Name + "/0" }

// Drop cuts all connections.
func (x *Target) Drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		c.net.Close()
	}
}

// Each calls f for every connection.
func (x *Target) Each(f func(c *Conn)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		f(c)
	}
}

// Change changes the medium under the initiator, or what the LUN tells of itself.
func (x *Target) Change(f func(memory []byte)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(x.memory)
}

// Restart cuts all connections and forgets the reservations, as an array does that does not keep them through a power cut.
func (x *Target) Restart() {
	x.mu.Lock()
	x.reserved = reservations{}
	x.mu.Unlock()
	x.Drop()
}

func (x *Target) accept() {
	for {
		nc, err := x.listener.Accept()
		if err != nil {
			return
		}
		c := &Conn{target: x, net: nc, ended: make(chan struct{}), params: iscsi.DefaultParams(x.Limits.MaxRecv), writes: make(map[uint32]*pending)}
		x.mu.Lock()
		x.conns[c] = struct{}{}
		x.mu.Unlock()
		x.serving.Go(func() {
			defer close(c.ended)
			defer nc.Close()
			if c.login() {
				c.serve()
			}
			x.mu.Lock()
			delete(x.conns, c)
			x.mu.Unlock()
		})
	}
}

// reinstate ends what other connections of the same initiator port still do (RFC 7143 6.3.5): a write of a session that was lost
// must not land after the login that follows.
func (x *Target) reinstate(c *Conn, isid []byte) {
	x.mu.Lock()
	copy(c.isid[:], isid)
	var old []*Conn
	for o := range x.conns {
		if o != c && o.isid == c.isid {
			o.net.Close()
			old = append(old, o)
		}
	}
	x.mu.Unlock()
	for _, o := range old {
		<-o.ended
	}
}

// Conn is one connection.
type Conn struct {
	target    *Target
	net       net.Conn
	params    iscsi.Params
	full      bool // past the login
	discovery bool
	isid      nexus
	ended     chan struct{} // closed when nothing of it can touch the medium any more
	expCmdSN  uint32
	writes    map[uint32]*pending // by initiator task tag; the reader's

	mu     sync.Mutex // of what sending needs
	statSN uint32
}

// read returns the next PDU.
func (c *Conn) read() (iscsi.Header, []byte, error) {
	h := make(iscsi.Header, iscsi.HeaderLength, iscsi.HeaderLength+4)
	n := iscsi.HeaderLength
	if c.full && c.params.HeaderDigest {
		n += 4
	}
	if _, err := io.ReadFull(c.net, h[:n]); err != nil {
		return nil, nil, err
	}
	if n > iscsi.HeaderLength && iscsi.Digest(0, h) != iscsi.DigestAt(h[iscsi.HeaderLength:n]) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	length := h.DataLength()
	if length == 0 {
		return h, nil, nil
	}
	padded := length + iscsi.Pad(length)
	data := make([]byte, padded+4)
	if !c.full || !c.params.DataDigest {
		data = data[:padded]
	}
	if _, err := io.ReadFull(c.net, data); err != nil {
		return nil, nil, err
	}
	if len(data) > padded && iscsi.Digest(0, data[:padded]) != iscsi.DigestAt(data[padded:]) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return h, data[:length], nil
}

// Send sends a PDU with the sequence numbers as they are; status says whether it takes a StatSN.
func (c *Conn) Send(h iscsi.Header, data []byte, status bool) {
	c.SendDamaged(h, data, status, 0, 0)
}

// SendDamaged sends a PDU whose digests are off by what is given.
func (c *Conn) SendDamaged(h iscsi.Header, data []byte, status bool, header, body uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status {
		h.SetStatSN(c.statSN)
		c.statSN++
	}
	window := c.target.Window
	if window == 0 {
		window = 64
	}
	h.SetExpCmdSN(c.expCmdSN)
	h.SetMaxCmdSN(c.expCmdSN + window - 1)
	h.SetDataLength(len(data))
	p := append([]byte(nil), h[:iscsi.HeaderLength]...)
	if c.full && c.params.HeaderDigest {
		p = appendDigest(p, iscsi.Digest(0, p)+header)
	}
	body0 := len(p)
	p = append(p, data...)
	p = append(p, make([]byte, iscsi.Pad(len(data)))...)
	if c.full && c.params.DataDigest && len(data) > 0 {
		p = appendDigest(p, iscsi.Digest(0, p[body0:])+body)
	}
	_, _ = c.net.Write(p) // the reader finds out
}

func appendDigest(p []byte, crc uint32) []byte {
	p = append(p, 0, 0, 0, 0)
	iscsi.PutDigest(p[len(p)-4:], crc)
	return p
}

// Reply makes the header of an answer to request.
func Reply(op iscsi.Opcode, request iscsi.Header) iscsi.Header {
	h := make(iscsi.Header, iscsi.HeaderLength)
	h.SetOpcode(op)
	h.SetFlags(iscsi.FlagFinal)
	h.SetInitiatorTag(request.InitiatorTag())
	h.SetTargetTag(iscsi.ReservedTag)
	return h
}
