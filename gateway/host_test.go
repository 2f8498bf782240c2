package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/configs"
	"forebay/protocols/scsi"
)

// host is an initiator port that reaches a volume's device without a transport between.
type host struct {
	t     *testing.T
	v     *disk
	nexus *scsi.Nexus
}

func newHost(t *testing.T, v *disk, name string) *host {
	return &host{t: t, v: v, nexus: &scsi.Nexus{Initiator: name, Target: v.config.ISCSI.Target, PortalTag: 1, RelPort: 1}}
}

// execute executes a command as a transport does, and says how it ended: GOOD, or "key/asc/ascq" in hexadecimal.
func (h *host) execute(c *scsi.Command) string {
	c.Nexus, c.Room = h.nexus, mib
	if !h.v.device.Inline(c) {
		h.v.device.Execute(h.t.Context(), c)
	}
	if s := c.Sense(); c.Status == scsi.StatusCheckCondition && len(s) > 13 {
		return fmt.Sprintf("%x/%02x/%02x", s[2]&15, s[12], s[13])
	}
	return c.Status.String()
}

// good, notReady and powerOn are how commands end here; lostWrites is what a flush ends with that can't vouch for writes.
const (
	good       = "GOOD"
	notReady   = "2/04/01"
	powerOn    = "6/29/00"
	lostWrites = "3/0c/00"
)

func (h *host) cdb(opcode byte) string {
	c := &scsi.Command{CDB: [16]byte{opcode}}
	defer c.Data.Release()
	return h.execute(c)
}

func (h *host) ready() string { return h.cdb(0x00) }
func (h *host) flush() string { return h.cdb(0x35) }

// block makes the CDB of a READ(16) or WRITE(16) of the 4 KiB block with that number.
func block(opcode byte, number int) [16]byte {
	cdb := [16]byte{opcode}
	binary.BigEndian.PutUint64(cdb[2:], uint64(number)*8)
	binary.BigEndian.PutUint32(cdb[10:], 8)
	return cdb
}

// volatile says whether the caching mode page tells of a write cache.
func (h *host) volatile() bool {
	h.t.Helper()
	c := &scsi.Command{CDB: [16]byte{0x1a, 8, 8, 0, 255}} // MODE SENSE(6), no block descriptors
	defer c.Data.Release()
	how := h.execute(c)
	page := bytes.Join(c.Data.Segments(), nil)
	if how != good || len(page) < 7 {
		h.t.Fatalf("%s, % x", how, page)
	}
	return page[6]&4 != 0
}

// read says what a block is full of.
func (h *host) read(number int) string {
	c := &scsi.Command{CDB: block(0x88, number)}
	defer c.Data.Release()
	if how := h.execute(c); how != good {
		return how
	}
	content := bytes.Join(c.Data.Segments(), nil)
	if !bytes.Equal(content, bytes.Repeat(content[:1], cachecore.BlockSize)) {
		return "a mixture"
	}
	return fmt.Sprint("all ", content[0])
}

func (h *host) write(number int, content byte) string {
	return h.execute(&scsi.Command{CDB: block(0x8a, number), DataOut: bytes.Repeat([]byte{content}, cachecore.BlockSize)})
}

// eventually runs something that may be held, and says how it ended.
func eventually(f func() string) <-chan string {
	ended := make(chan string, 1)
	go func() { ended <- f() }()
	return ended
}

// held says whether something has not ended though nothing else is left to happen.
func held(t *testing.T, ended <-chan string) {
	t.Helper()
	synctest.Wait()
	select {
	case how := <-ended:
		t.Errorf("it is not held: %s", how)
	default:
	}
}

// shelf is a volume with all that is below it, which runs.
type shelf struct {
	*disk
	*san
	t   *testing.T
	log *lines
	a   *host  // an initiator that has had its power on attention
	end func() // stops it

	kill    func() // stops it without a flush, where the rig knows how
	gateway *Gateway
}

// volumeConfig is a volume as a file would have it.
func volumeConfig(hold configs.OnArrayLoss) configs.Volume {
	return configs.Volume{Name: "vol1", Pool: "fast", From: configs.From{Array: "san1"}, Policy: configs.Policy{OnArrayLoss: hold},
		ISCSI: &configs.ISCSIExport{Target: "iqn.2026-11.example:vol1", BlockSize: 512}}
}

// serve runs a test with a volume, within a bubble. At the end nothing may be left in its memory.
func serve(t *testing.T, hold configs.OnArrayLoss, begin func(*san), test func(*testing.T, *shelf)) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSAN(t, cachecore.ArrayInfo{}), newLines(t)
		begin(s)
		p, err := newPool(configs.Tier{Pool: "fast", RAM: mib}, false, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		v := newDisk(volumeConfig(hold), 1, p, newAttachment("san1", "mem", s.attach, log.logger()), scsi.Identity{Name: "vol1"}, log.logger())
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			v.run(ctx)
			close(ended)
		}()
		synctest.Wait()
		x := &shelf{disk: v, san: s, t: t, log: log, a: newHost(t, v, "iqn.2026-11.example:a,i,0x1")}
		x.end = func() {
			if err := v.close(t.Context()); err != nil {
				t.Error(err)
			}
			cancel()
			<-ended
		}
		x.a.ready()
		test(t, x)
		x.end()
		if err := p.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// wants holds how something ended against how it should have.
func wants(t *testing.T, what, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, not %s", what, got, want)
	}
}
