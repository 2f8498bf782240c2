package initiator_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"

	"github.com/rs/zerolog"

	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/target"
	"forebay/protocols/scsi"
	"forebay/protocols/scsi/scsitest"
)

const (
	served     = "iqn.2026-11.io.forebay:served"
	servedSize = 4 << 20
)

// catalog has one target.
type catalog struct{ t *target.Target }

func (c catalog) Targets(string, net.Addr) []target.TargetInfo {
	return []target.TargetInfo{{Name: c.t.Name}}
}

func (c catalog) Target(name string) (*target.Target, bool) { return c.t, name == c.t.Name }

// heap is a pool of memory that does not end.
type heap struct{}

func (heap) Get(n int) []byte { return make([]byte, n) }
func (heap) Put([]byte)       {}

// own is the project's target with one unit over a store in memory.
type own struct {
	store  *scsitest.Mem
	unit   *scsi.Unit
	portal string
	target *target.Target
}

var thin = scsi.Geometry{BlockSize: 512, PhysicalBlock: 4096, Blocks: servedSize / 512, Thin: true, ZeroesOnUnmap: true, UnmapGrain: 8, WriteCache: true}

func serve(t *testing.T) *own {
	t.Helper()
	o := &own{store: scsitest.NewMem(servedSize)}
	identity := scsi.Identity{NAA: [16]byte{0: 0x60, 15: 9}, Serial: "1", Vendor: "FOREBAY ", Product: "test            ", Name: "served"}
	o.unit = scsi.NewUnit(scsi.UnitOptions{Identity: identity, Store: o.store, Logger: zerolog.Nop()})
	o.unit.SetGeometry(thin)
	o.unit.SetReady(true)
	devices := map[uint64]scsi.Device{0: o.unit}
	o.target = &target.Target{Name: served, LUNs: func() map[uint64]scsi.Device { return devices }}
	server := target.New(target.Options{Catalog: catalog{o.target}, Buffers: heap{}, Logger: zerolog.Nop()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.portal = l.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		server.Shutdown(now)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

func (o *own) options() initiator.Options { return initiator.Options{Portal: o.portal, Target: served} }

func (o *own) dial(t *testing.T, change ...func(*initiator.Options)) *initiator.Session {
	t.Helper()
	options := o.options()
	for _, f := range change {
		f(&options)
	}
	s, err := initiator.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abandon)
	if err := s.Ready(t.Context(), 0); err != nil { // it eats the attention of a new nexus
		t.Fatal(err)
	}
	return s
}

func TestOurTargetTellsWhatItIs(t *testing.T) {
	s := serve(t).dial(t)
	c, err := s.Capacity(t.Context(), 0)
	if want := (initiator.Capacity{Blocks: servedSize / 512, BlockSize: 512, Thin: true, ReadsZeroes: true, BlocksPerPhy: 8}); err != nil || c != want {
		t.Errorf("capacity %+v, %v", c, err)
	}
	p, err := s.Provisioning(t.Context(), 0)
	if err != nil || !p.Unmap || !p.WriteSameUnmap || p.UnmapGrain != 8 || p.MaxUnmapBlocks == 0 || p.MaxUnmapExtents == 0 || p.MaxTransfer == 0 {
		t.Errorf("provisioning %+v, %v", p, err)
	}
	d, err := s.Designators(t.Context(), 0)
	if err != nil || d.Name != "naa.60000000000000000000000000000009" || d.RelativePort == 0 {
		t.Errorf("designators %+v, %v", d, err)
	}
	if m, err := s.Caching(t.Context(), 0); err != nil || m != (initiator.Caching{WriteCache: true, FUA: true}) {
		t.Errorf("caching %+v, %v", m, err)
	}
}

func TestOurTargetDoesWhatItIsAsked(t *testing.T) {
	o := serve(t)
	s := o.dial(t)
	do := func(what string, build func(c *initiator.Command)) {
		t.Helper()
		var c initiator.Command
		build(&c)
		if err := s.Do(t.Context(), &c); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	image := bytes.Repeat([]byte{7}, 128<<10)
	do("write", func(c *initiator.Command) { c.Out = bytes.Clone(image); c.Write(0, 256, true) })
	do("flush", (*initiator.Command).Flush)
	do("unmap", func(c *initiator.Command) { c.Unmap([]initiator.Extent{{LBA: 8, Blocks: 8}, {LBA: 32, Blocks: 16}}) })
	do("zero", func(c *initiator.Command) { c.WriteZeroes(64, 3, false, make([]byte, 512)) })
	do("zero and unmap", func(c *initiator.Command) { c.WriteZeroes(128, 8, true, make([]byte, 512)) })
	for _, r := range [][2]int{{8, 16}, {32, 48}, {64, 67}, {128, 136}} {
		clear(image[r[0]*512 : r[1]*512])
	}
	if !bytes.Equal(o.store.Content()[:len(image)], image) {
		t.Error("the store holds something else")
	}
	do("read", func(c *initiator.Command) { c.In = image; c.Read(0, 256) })
	if !bytes.Equal(o.store.Content()[:len(image)], image) {
		t.Error("something else was read")
	}
}

func TestOurTargetSaysWhatItRefuses(t *testing.T) {
	s := serve(t).dial(t)
	for what, c := range map[string]struct {
		build func(c *initiator.Command)
		asc   byte
	}{
		"a read beyond the end":   {func(c *initiator.Command) { c.In = make([]byte, 512); c.Read(servedSize/512, 1) }, 0x21},
		"an unmap beyond the end": {func(c *initiator.Command) { c.Unmap([]initiator.Extent{{LBA: servedSize / 512, Blocks: 1}}) }, 0x21},
		"an unknown command":      {func(c *initiator.Command) { c.CDB[0] = 0xc0 }, 0x20},
	} {
		var command initiator.Command
		c.build(&command)
		err := s.Do(t.Context(), &command)
		var e *initiator.StatusError
		if !errors.As(err, &e) || e.Key != initiator.SenseIllegal || e.ASC != c.asc || initiator.IsUnsupported(err) != (c.asc == 0x20) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAGrownLUNOfOurTargetIsNoticed(t *testing.T) {
	o := serve(t)
	var heard []byte
	s := o.dial(t, func(options *initiator.Options) {
		options.Attention = func(_ uint16, e *initiator.StatusError) { heard = append(heard, e.ASC) }
	})
	before, err := s.Capacity(t.Context(), 0)
	want(t, "capacity", err)
	heard = nil
	grown := thin
	grown.Blocks += 8
	o.unit.SetGeometry(grown)
	after, err := s.Capacity(t.Context(), 0)
	if err != nil || after.Blocks != before.Blocks+8 || !bytes.Equal(heard, []byte{0x2a}) {
		t.Errorf("%+v, %v, heard of %x", after, err, heard)
	}
}

func TestAResetOfOurTargetAbortsAndIsTold(t *testing.T) {
	o := serve(t)
	held := make(chan struct{}, 1)
	o.store.Hold = func(ctx context.Context, call string, _, _ int64) error {
		if call != "write" {
			return ctx.Err()
		}
		held <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	a, b := o.dial(t), o.dial(t)
	ended := make(chan error, 1)
	w := &initiator.Command{Out: make([]byte, 4096), Done: func(c *initiator.Command) { ended <- c.Failure() }}
	w.Write(0, 8, false)
	want(t, "submit", a.Submit(w))
	<-held
	want(t, "reset", b.ResetUnit(t.Context(), 0))
	if err := a.Do(t.Context(), &initiator.Command{}); !initiator.IsUnitAttention(err) {
		t.Errorf("after the reset of another: %v", err)
	}
	a.Abandon() // what another nexus resets ends without a status while TAS is 0 (SPC-4 7.5.8)
	<-ended
}

func TestOurTargetProvesItselfWithDigests(t *testing.T) {
	o := serve(t)
	o.target.CHAP = &iscsi.Credentials{User: "gw", Secret: "the secret of gw", MutualUser: "array", MutualSecret: "the secret of array"}
	s := o.dial(t, func(options *initiator.Options) {
		options.CHAP, options.Limits.Digests = *o.target.CHAP, iscsi.DigestsRequired
	})
	if p := s.Params(); !p.HeaderDigest || !p.DataDigest {
		t.Errorf("negotiated %+v", p)
	}
	want(t, "close", s.Close())
	impostor := o.options()
	impostor.CHAP = *o.target.CHAP
	impostor.CHAP.MutualSecret = "another"
	if _, err := initiator.Dial(t.Context(), impostor); !errors.Is(err, initiator.ErrAuthentication) {
		t.Errorf("an impostor: %v", err)
	}
}
