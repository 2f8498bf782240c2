package target

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

// raw is an initiator that sends what it is told, right or wrong. It numbers its commands and keeps nothing else.
type raw struct {
	t      testing.TB
	net    net.Conn
	cmdSN  uint32
	digest bool     // what is sent has digests
	came   chan pdu // closed when the connection ends
}

// pdu is one PDU of the target.
type pdu struct {
	iscsi.Header
	data []byte
}

// keys is a list of text keys as the wire has it.
func keys(pairs ...string) []byte {
	var p []byte
	for i := 0; i < len(pairs); i += 2 {
		p = iscsi.AppendText(p, pairs[i], pairs[i+1])
	}
	return p
}

// raw returns a connection without a login. With digests, what comes after the login has them.
func (r *rig) raw(digests bool) *raw {
	r.t.Helper()
	nc, err := r.connect(r.t.Context(), "tcp", r.portal)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(patience))
	c := &raw{t: r.t, net: nc, cmdSN: 100, came: make(chan pdu, 4096)}
	go c.readAll(digests)
	r.t.Cleanup(func() { c.net.Close() })
	return c
}

// login returns a session whose first login request goes straight to the operational stage, with the given keys beside the names.
func (r *rig) login(pairs ...string) *raw {
	r.t.Helper()
	c := r.raw(false)
	c.enter(pairs...)
	return c
}

func (c *raw) enter(pairs ...string) {
	c.t.Helper()
	answer := c.logIn(append([]string{"InitiatorName", client, "TargetName", disk}, pairs...)...)
	if answer.LoginStatus() != iscsi.LoginSuccess || answer.NextStage() != iscsi.StageFullFeature {
		c.t.Fatalf("the login ended with %04x: %q", answer.LoginStatus(), answer.data)
	}
}

// logIn sends one login request from the operational stage to the full feature phase, and returns the answer.
func (c *raw) logIn(pairs ...string) pdu {
	c.t.Helper()
	c.send(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys(pairs...))
	return c.expect(iscsi.OpLoginResp)
}

func (c *raw) loginRequest(current, next iscsi.Stage) iscsi.Header {
	h := make(iscsi.Header, iscsi.HeaderLength)
	h.SetOpcode(iscsi.OpLogin)
	h.SetImmediate()
	h.SetFlags(iscsi.FlagFinal)
	h.SetStages(current, next)
	h.SetISID([]byte{0x80, 1, 2, 3, 4, 5})
	h.SetInitiatorTag(1)
	h.SetCmdSN(c.cmdSN)
	return h
}

// request makes a PDU that takes the next CmdSN.
func (c *raw) request(op iscsi.Opcode, tag uint32) iscsi.Header {
	h := make(iscsi.Header, iscsi.HeaderLength)
	h.SetOpcode(op)
	h.SetFlags(iscsi.FlagFinal)
	h.SetInitiatorTag(tag)
	h.SetCmdSN(c.cmdSN)
	c.cmdSN++
	return h
}

// immediate makes a PDU that takes no CmdSN.
func (c *raw) immediate(op iscsi.Opcode, tag uint32) iscsi.Header {
	h := c.request(op, tag)
	h.SetImmediate()
	c.cmdSN--
	return h
}

// read makes a READ(10) of n bytes at a block.
func (c *raw) read(tag uint32, lba, n int) iscsi.Header {
	h := c.request(iscsi.OpSCSICommand, tag)
	h.SetFlags(iscsi.FlagFinal | iscsi.FlagRead)
	h.SetExpectedLength(uint32(n))
	blockCDB(h, 0x28, lba, n)
	return h
}

// write makes a WRITE(10) of n bytes at a block.
func (c *raw) write(tag uint32, lba, n int) iscsi.Header {
	h := c.request(iscsi.OpSCSICommand, tag)
	h.SetFlags(iscsi.FlagFinal | iscsi.FlagWrite)
	h.SetExpectedLength(uint32(n))
	blockCDB(h, 0x2a, lba, n)
	return h
}

func blockCDB(h iscsi.Header, op byte, lba, n int) {
	h.CDB()[0] = op
	binary.BigEndian.PutUint32(h.CDB()[2:], uint32(lba))
	binary.BigEndian.PutUint16(h.CDB()[7:], uint16(n/blockSize))
}

// dataOut makes a Data-Out PDU for an R2T, or unsolicited with the reserved tag.
func dataOut(tag, targetTag uint32, sn uint32, offset int, final bool) iscsi.Header {
	h := make(iscsi.Header, iscsi.HeaderLength)
	h.SetOpcode(iscsi.OpDataOut)
	if final {
		h.SetFlags(iscsi.FlagFinal)
	}
	h.SetInitiatorTag(tag)
	h.SetTargetTag(targetTag)
	h.SetDataSN(sn)
	h.SetBufferOffset(uint32(offset))
	return h
}

// manage makes an immediate task management request.
func (c *raw) manage(tag uint32, f iscsi.TaskFunction, referenced uint32) iscsi.Header {
	h := c.immediate(iscsi.OpTaskMgmt, tag)
	h.SetFlags(iscsi.FlagFinal | byte(f))
	h.SetReferencedTag(referenced)
	return h
}

// encode returns a PDU as it goes over the wire.
func (c *raw) encode(h iscsi.Header, data []byte) []byte {
	h.SetDataLength(len(data))
	return c.encodeAs(h, data)
}

// encodeAs leaves the length in the header alone.
func (c *raw) encodeAs(h iscsi.Header, data []byte) []byte {
	p := append([]byte(nil), h...)
	if c.digest {
		p = binary.LittleEndian.AppendUint32(p, iscsi.Digest(0, h))
	}
	if len(data) == 0 {
		return p
	}
	padded := append(append([]byte(nil), data...), make([]byte, iscsi.Pad(len(data)))...)
	p = append(p, padded...)
	if c.digest {
		p = binary.LittleEndian.AppendUint32(p, iscsi.Digest(0, padded))
	}
	return p
}

func (c *raw) send(h iscsi.Header, data []byte) {
	c.t.Helper()
	c.sendBytes(c.encode(h, data))
}

func (c *raw) sendBytes(p []byte) {
	c.t.Helper()
	if _, err := c.net.Write(p); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// readAll takes PDUs until the connection ends.
func (c *raw) readAll(digests bool) {
	defer close(c.came)
	for in := false; ; {
		p, err := c.readPDU(in && digests)
		if err != nil {
			return
		}
		in = in || p.Opcode() == iscsi.OpLoginResp && p.Final() && p.NextStage() == iscsi.StageFullFeature
		c.came <- p
	}
}

func (c *raw) readPDU(digests bool) (pdu, error) {
	h := make([]byte, iscsi.HeaderLength)
	if _, err := io.ReadFull(c.net, h); err != nil {
		return pdu{}, err
	}
	p := pdu{Header: h}
	if digests {
		if err := c.checkDigest(h, "header"); err != nil {
			return pdu{}, err
		}
	}
	n := p.DataLength()
	if n == 0 {
		return p, nil
	}
	padded := make([]byte, n+iscsi.Pad(n))
	if _, err := io.ReadFull(c.net, padded); err != nil {
		return pdu{}, err
	}
	p.data = padded[:n]
	if digests {
		return p, c.checkDigest(padded, "data")
	}
	return p, nil
}

func (c *raw) checkDigest(of []byte, what string) error {
	crc := make([]byte, 4)
	_, err := io.ReadFull(c.net, crc)
	if err == nil && iscsi.DigestAt(crc) != iscsi.Digest(0, of) {
		c.t.Errorf("wrong %s digest", what)
	}
	return err
}

// next returns the next PDU.
func (c *raw) next() pdu {
	c.t.Helper()
	p := receive(c.t, c.came)
	if p.Header == nil {
		c.t.Fatal("the connection has ended")
	}
	return p
}

// expect returns the next PDU, which must be of a kind.
func (c *raw) expect(op iscsi.Opcode) pdu {
	c.t.Helper()
	p := c.next()
	if p.Opcode() != op {
		c.t.Fatalf("PDU %02x instead of %02x: % x", byte(p.Opcode()), byte(op), []byte(p.Header))
	}
	return p
}

// ready takes the attention that a new nexus gets.
func (c *raw) ready() {
	c.t.Helper()
	c.send(c.request(iscsi.OpSCSICommand, 0x7ead), nil)
	if p := c.expect(iscsi.OpSCSIResponse); p.Status() != 0x02 || len(p.data) < 16 || p.data[14] != 0x29 {
		c.t.Fatalf("status %02x, % x", p.Status(), p.data)
	}
}

// ping sees that the connection works: what was sent before has been taken, and what was answered has come. It returns the PDUs that
// came before its own answer.
func (c *raw) ping() (before []pdu) {
	c.t.Helper()
	h := c.immediate(iscsi.OpNopOut, 0x9199)
	h.SetTargetTag(iscsi.ReservedTag)
	c.send(h, nil)
	for {
		p := c.next()
		if p.Opcode() == iscsi.OpNopIn && p.InitiatorTag() == 0x9199 {
			return before
		}
		before = append(before, p)
	}
}

// ends waits for the end of the connection, and returns what came before.
func (c *raw) ends() (before []pdu) {
	c.t.Helper()
	for p := receive(c.t, c.came); p.Header != nil; p = receive(c.t, c.came) {
		before = append(before, p)
	}
	return before
}
