package target

import (
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/iscsi"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

// What a connection of FuzzPDUs has agreed to.
const (
	withoutR2T   = 1 << iota // InitialR2T=No
	shortBursts              // of 1 KiB, and segments of 512 bytes
	withDigests              //
	forDiscovery             // SessionType=Discovery
)

func agreed(how byte) []string {
	list := []string{"InitiatorName", client}
	if how&forDiscovery != 0 {
		list = append(list, "SessionType", "Discovery")
	} else {
		list = append(list, "TargetName", disk)
	}
	if how&withoutR2T != 0 {
		list = append(list, "InitialR2T", "No")
	}
	if how&shortBursts != 0 {
		list = append(list, "MaxBurstLength", "1024", "FirstBurstLength", "512", "MaxRecvDataSegmentLength", "512", "MaxOutstandingR2T", "4")
	}
	if how&withDigests != 0 {
		list = append(list, "HeaderDigest", "CRC32C", "DataDigest", "CRC32C")
	}
	return list
}

// FuzzPDUs sends bytes to a connection that has logged in with CmdSN 1. Whatever they are, the connection ends, nothing is left of it,
// and what comes back is numbered as it should be. In the bubble what hangs is a deadlock, and what leaks is seen.
func FuzzPDUs(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte, how byte) {
		synctest.Test(t, func(t *testing.T) {
			const size = 64 << 10
			store := &pinning{Mem: scsitest.NewMem(size)}
			store.Cold = how&0x80 != 0
			r := newRig(t, leastMemory, func(r *rig, s *setup) {
				s.store, r.pool.left = store, 4<<20
				s.Limits.Commands = testCommands
			})
			r.unit.SetGeometry(scsi.Geometry{BlockSize: blockSize, PhysicalBlock: 4096, Blocks: size / blockSize})
			c := r.raw(how&withDigests != 0)
			c.cmdSN = 1
			answer := c.logIn(agreed(how)...)
			_ = c.net.SetDeadline(time.Now().Add(time.Hour)) // the target's patience is shorter
			_, _ = c.net.Write(p)                            // it may be cut off
			synctest.Wait()
			c.net.Close()
			over, cancel := context.WithCancel(context.Background())
			cancel()
			r.server.Shutdown(over)
			checkNumbers(t, answer.StatSN(), c.ends())
			if store.out != 0 {
				t.Errorf("%d bytes are not given back to the store", store.out)
			}
		})
	})
}

// checkNumbers looks at the numbers of PDUs that came: StatSN goes up by one with each status, and the window is never wider than
// its places.
func checkNumbers(t *testing.T, statSN uint32, came []pdu) {
	t.Helper()
	for _, p := range came {
		if width := p.MaxCmdSN() + 1 - p.ExpCmdSN(); width > testCommands {
			t.Fatalf("the window is %d wide: % x", width, []byte(p.Header))
		}
		switch p.Opcode() {
		case iscsi.OpR2T:
			continue
		case iscsi.OpDataIn:
			if p.Flags()&iscsi.FlagStatus == 0 {
				continue
			}
		case iscsi.OpNopIn:
			if p.InitiatorTag() == iscsi.ReservedTag {
				continue
			}
		}
		if statSN++; p.StatSN() != statSN {
			t.Fatalf("StatSN %d where %d was due: % x", p.StatSN(), statSN, []byte(p.Header))
		}
	}
}

// FuzzLogin plays login requests: each is a byte of flags and stages, the length of its text in two bytes, and the text.
func FuzzLogin(f *testing.F) {
	challenge := iscsi.Challenge{ID: 9, Value: []byte("0123456789abcdef")} // to which the corpus has the right answers
	sealed := iscsi.Credentials{User: secrets.User, Secret: rand.Text()}
	catalog := targets{disk: {Name: disk}, "iqn.secret": {Name: "iqn.secret", CHAP: &secrets}, "iqn.sealed": {Name: "iqn.sealed", CHAP: &sealed}}
	f.Fuzz(func(t *testing.T, p []byte) {
		l := newLogin(catalog, "alias")
		l.challenge = func() iscsi.Challenge { return challenge }
		for requests := 0; len(p) >= 3 && !l.done(); requests++ {
			n := min(int(p[1])<<8|int(p[2]), len(p)-3)
			h := make(iscsi.Header, iscsi.HeaderLength)
			h.SetOpcode(iscsi.OpLogin)
			h.SetFlags(p[0])
			before := l.stage
			reply, err := l.step(h, p[3:3+n])
			p = p[3+n:]
			if err != nil {
				return
			}
			if requests >= maxLoginRequests || l.stage < before && requests > 0 {
				t.Fatalf("request %d, stage %d after %d", requests, l.stage, before)
			}
			if reply.transit && (reply.next != l.stage || reply.stage >= reply.next) || len(iscsi.EncodeText(reply.keys)) > loginSegment {
				t.Fatalf("%+v", reply)
			}
		}
		if l.done() {
			checkLogin(t, l)
		}
	})
}

// checkLogin looks at a login that was let in.
func checkLogin(t *testing.T, l *login) {
	t.Helper()
	if l.initiator == "" || l.discovery == (l.target != nil) {
		t.Errorf("%q, discovery %t, target %v", l.initiator, l.discovery, l.target)
	}
	if l.target != nil && l.target.CHAP != nil && (!l.auth.verified || l.target.Name == "iqn.sealed") {
		t.Errorf("it is in at %s without a proof", l.target.Name)
	}
	if p := l.params; p.MaxSend < 512 || p.MaxSend > maxSendSegment || p.MaxBurst < 512 || p.MaxBurst > maxBurst || p.FirstBurst < 512 ||
		p.FirstBurst > min(firstBurst, p.MaxBurst) || p.MaxOutstandingR2T < 1 || p.MaxOutstandingR2T > maxR2T {
		t.Errorf("%+v", p)
	}
}
