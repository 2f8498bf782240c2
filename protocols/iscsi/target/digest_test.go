package target

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
)

func TestDigestsGuardBothDirections(t *testing.T) {
	r := newRig(t)
	s := r.dial(func(o *initiator.Options) { o.Limits.Digests = iscsi.DigestsRequired })
	if p := s.Params(); !p.HeaderDigest || !p.DataDigest {
		t.Fatalf("%+v", p)
	}
	w := &initiator.Command{Out: pattern(make([]byte, 200<<10), 1)}
	w.Write(0, 400, false)
	if err := s.Do(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	c := &initiator.Command{In: make([]byte, len(w.Out))}
	c.Read(0, 400)
	if err := s.Do(t.Context(), c); err != nil || !bytes.Equal(c.In, w.Out) {
		t.Error(err)
	}
}

// guarded returns a session with both digests.
func (r *rig) guarded() *raw {
	r.t.Helper()
	c := r.raw(true)
	c.enter("HeaderDigest", "CRC32C", "DataDigest", "CRC32C")
	c.digest = true
	c.ready()
	return c
}

func TestDigestsCoverPaddingAndOddLengths(t *testing.T) {
	r := newRig(t)
	c := r.guarded()
	for _, n := range []int{1, 2, 3, 4, 5, 4095} {
		data := pattern(make([]byte, n), n)
		h := c.immediate(iscsi.OpNopOut, 5)
		h.SetTargetTag(iscsi.ReservedTag)
		c.send(h, data)
		if p := c.expect(iscsi.OpNopIn); !bytes.Equal(p.data, data) {
			t.Errorf("%d bytes come back as %d", n, len(p.data))
		}
	}
}

func TestTheHeaderDigestCoversAdditionalHeaders(t *testing.T) {
	r := newRig(t)
	c := r.guarded()
	h := c.read(7, 0, 512)
	h[4] = 2 // words
	whole := slices.Concat(h, pattern(make([]byte, 8), 1))
	c.sendBytes(binary.LittleEndian.AppendUint32(whole, iscsi.Digest(0, whole)))
	if p := c.expect(iscsi.OpSCSIResponse); p.Response() != responseTargetFailure {
		t.Errorf("% x", []byte(p.Header))
	}
	c.sendBytes(binary.LittleEndian.AppendUint32(whole, iscsi.Digest(0, whole[:iscsi.HeaderLength])))
	if before := c.ends(); len(before) > 0 {
		t.Errorf("% x", []byte(before[0].Header))
	}
}

func TestAWrongDataDigestIsToldAndEndsTheConnection(t *testing.T) {
	for name, send := range map[string]func(c *raw) (iscsi.Header, []byte){
		"immediate data": func(c *raw) (iscsi.Header, []byte) { return c.write(7, 0, 1024), make([]byte, 1024) },
		"solicited data": func(c *raw) (iscsi.Header, []byte) {
			c.send(c.write(7, 0, 1024), nil)
			return dataOut(7, c.expect(iscsi.OpR2T).TargetTag(), 0, 0, true), make([]byte, 1024)
		},
		"a ping": func(c *raw) (iscsi.Header, []byte) { return c.immediate(iscsi.OpNopOut, 9), make([]byte, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, overTCP)
			c := r.guarded()
			h, data := send(c)
			p := c.encode(h, data)
			p[len(p)-1] ^= 1
			c.sendBytes(p)
			before := c.ends()
			if len(before) != 1 || before[0].Opcode() != iscsi.OpReject || before[0].Response() != iscsi.RejectDataDigest {
				t.Fatalf("%d PDUs came", len(before))
			}
			if !bytes.Equal(before[0].data, p[:iscsi.HeaderLength]) {
				t.Errorf("the rejected header is % x", before[0].data)
			}
		})
	}
}

func TestAWrongHeaderDigestEndsTheConnectionUnanswered(t *testing.T) {
	r := newRig(t)
	c := r.guarded()
	p := c.encode(c.write(7, 0, 1024), pattern(make([]byte, 1024), 1))
	p[20] ^= 1
	c.sendBytes(p)
	if before := c.ends(); len(before) > 0 {
		t.Errorf("%02x came", before[0].Opcode())
	}
	if !bytes.Equal(r.store.Content(), make([]byte, diskSize)) {
		t.Error("something was written")
	}
}
