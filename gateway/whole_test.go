package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/configs"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/scsi"
	"forebay/protocols/sock/socktest"
)

// whole is a gateway that serves, within a bubble: arrays in memory below, initiators over pipes above.
type whole struct {
	*Gateway
	t      *testing.T
	log    *lines
	sans   []*san
	pipes  *socktest.PipeListener
	failed chan error // of the control plane

	stop  func()
	ended chan error
	began time.Time // of the end
}

// whenServed runs a test with a gateway of so many volumes, vol1 on LUN 0 and so on. The test ends it.
func whenServed(t *testing.T, volumes int, hold configs.OnArrayLoss, begin func(*san), test func(*testing.T, *whole)) {
	whenServedWithin(t, configs.Limits{}, volumes, hold, begin, test)
}

// whenServedWithin is whenServed of one with limits.
func whenServedWithin(t *testing.T, limits configs.Limits, volumes int, hold configs.OnArrayLoss, begin func(*san), test func(*testing.T, *whole)) {
	synctest.Test(t, func(t *testing.T) {
		w := &whole{t: t, log: newLines(t), pipes: socktest.NewPipeListener(), failed: make(chan error, 1), ended: make(chan error, 1)}
		config := &configs.Config{Gateway: configs.Gateway{Name: "gw-a", Tiers: []configs.Tier{{Pool: "fast", RAM: mib}}, Listen: configs.Listen{API: configs.Off},
			Limits: limits}}
		w.Gateway = New(Options{Config: config, Log: w.log.logger()})
		p, err := newPool(config.Gateway.Tiers[0], false, w.Gateway.log)
		if err != nil {
			t.Fatal(err)
		}
		w.pools["fast"] = p
		for i := range volumes {
			w.addVolume(i, hold, begin)
		}
		if err := w.buildServer(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		w.stop = func() { w.began = time.Now(); stop() }
		go func() { w.ended <- w.serve(ctx, w.failed) }()
		go w.server.Serve(ctx, w.pipes) //nolint:errcheck // it ends with the server
		synctest.Wait()
		test(t, w)
	})
}

func (w *whole) addVolume(i int, hold configs.OnArrayLoss, begin func(*san)) {
	s := newSAN(w.t, cachecore.ArrayInfo{})
	begin(s)
	c := volumeConfig(hold)
	c.Name, c.From.Array, c.ISCSI.LUN = "vol"+string(rune('1'+i)), "san"+string(rune('1'+i)), i
	v := newDisk(c, cachecore.ObjectID(i+1), w.pools["fast"], newAttachment(c.From.Array, "mem", s.attach, w.Gateway.log), scsi.Identity{Name: c.Name}, w.Gateway.log)
	w.sans, w.disks = append(w.sans, s), append(w.disks, v)
}

// logIn is an initiator's session.
func (w *whole) logIn() *initiator.Session {
	w.t.Helper()
	s, err := initiator.Dial(w.t.Context(), initiator.Options{Portal: "pipe", Target: "iqn.2026-11.example:vol1", Dial: w.pipes.Dial})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.disks { // takes the unit attentions
		_ = s.Ready(w.t.Context(), uint16(i))
	}
	return s
}

// submit sends a command; its failure comes on the channel.
func (w *whole) submit(s *initiator.Session, c *initiator.Command) <-chan error {
	w.t.Helper()
	failure := make(chan error, 1)
	c.Done = func(c *initiator.Command) { failure <- c.Failure() }
	if err := s.Submit(c); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return failure
}

func reading(lun uint16) *initiator.Command {
	c := &initiator.Command{LUN: lun, In: make([]byte, cachecore.BlockSize)}
	c.Read(0, cachecore.BlockSize/512)
	return c
}

func writing(lun uint16, content byte) *initiator.Command {
	c := &initiator.Command{LUN: lun, Out: make([]byte, cachecore.BlockSize)}
	for i := range c.Out {
		c.Out[i] = content
	}
	c.Write(0, cachecore.BlockSize/512, false)
	return c
}

// end waits for the gateway's end, which may take so long.
func (w *whole) end(most time.Duration) error {
	w.t.Helper()
	err := <-w.ended
	if took := time.Since(w.began); took > most {
		w.t.Errorf("the end takes %v", took)
	}
	return err
}
