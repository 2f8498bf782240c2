package target

import (
	"io"
	"testing"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// cached is a store that hands out its own memory, as a cache does, in blocks of 4 KiB. It keeps no count, so that it costs nothing.
type cached struct {
	*scsitest.Mem
	blocks [][]byte
}

func newCached() *cached {
	s := &cached{Mem: scsitest.NewMem(diskSize)}
	content := s.Content()
	for at := 0; at < len(content); at += 4096 {
		s.blocks = append(s.blocks, content[at:at+4096])
	}
	return s
}

func (s *cached) ReadNow(d *scsi.Data, off int64, n int) bool {
	for i := range n / 4096 {
		d.Add(s.blocks[off/4096+int64(i)], s, 0)
	}
	return true
}

func (s *cached) Release(uint64) {}

// The client's share of a round trip allocates nothing, so what is counted is the server's.
func TestAReadThatHitsAllocatesNothing(t *testing.T) {
	for name, digests := range map[string]bool{"plain": false, "digests": true} {
		for _, n := range []int{4096, 65536} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, overTCP, func(_ *rig, s *setup) { s.store = newCached() })
				c := r.rawOn(digests)
				command, answer := c.read(1, 0, n), make([]byte, answerLength(n, digests))
				roundTrip := func() {
					p := command[:iscsi.HeaderLength]
					p.SetCmdSN(c.cmdSN)
					c.cmdSN++
					if digests {
						iscsi.PutDigest(command[:iscsi.HeaderLength+4][iscsi.HeaderLength:], iscsi.Digest(0, p))
						p = command[:iscsi.HeaderLength+4]
					}
					if _, err := c.net.Write(p); err != nil {
						t.Fatal(err)
					}
					if _, err := io.ReadFull(c.net, answer); err != nil {
						t.Fatal(err)
					}
				}
				c.cmdSN--
				command = append(command, 0, 0, 0, 0)
				for range 300 { // buffers grow to what they need
					roundTrip()
				}
				if allocations := testing.AllocsPerRun(1000, roundTrip); allocations != 0 {
					t.Errorf("%v allocations", allocations)
				}
				if h := iscsi.Header(answer); h.Opcode() != iscsi.OpDataIn || h.ExpCmdSN() != c.cmdSN {
					t.Errorf("the last answer: % x", answer[:iscsi.HeaderLength])
				}
			})
		}
	}
}

// rawOn returns a session over the rig's port which nobody reads, with a segment of 256 KiB.
func (r *rig) rawOn(digests bool) *raw {
	r.t.Helper()
	nc, err := r.connect(r.t.Context(), "tcp", r.portal)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	c := &raw{t: r.t, net: nc, cmdSN: 1}
	list := []string{"InitiatorName", client, "TargetName", disk, "MaxRecvDataSegmentLength", "262144"}
	if digests {
		list = append(list, "HeaderDigest", "CRC32C", "DataDigest", "CRC32C")
	}
	c.send(c.loginRequest(iscsi.StageOperational, iscsi.StageFullFeature), keys(list...))
	if p, err := c.readPDU(false); err != nil || p.LoginStatus() != 0 {
		r.t.Fatal(err)
	}
	c.digest = digests
	c.send(c.request(iscsi.OpSCSICommand, 1), nil)
	if p, err := c.readPDU(digests); err != nil || p.Status() != 2 {
		r.t.Fatal(err)
	}
	return c
}

func answerLength(n int, digests bool) int {
	if digests {
		return iscsi.HeaderLength + n + 8
	}
	return iscsi.HeaderLength + n
}
