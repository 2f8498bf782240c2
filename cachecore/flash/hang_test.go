package flash

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore/device/devicetest"
)

// A device that never answers holds nobody longer than he wants: who ends the tier, takes it out or resizes it gets the error of his ctx, whatever
// the device is asked then. When it answers after all, everything goes on.
func TestADeviceThatHangsHoldsNobodyWhoEndsOrResizesATier(t *testing.T) {
	end, leave := (*Store).Close, (*Store).Withdraw
	shrink := func(s *Store, ctx context.Context) error { return s.Resize(ctx, small(minSlots)) }
	behind := func(s *Store, ctx context.Context) error {
		go func() { _ = shrink(s, ctx) }()
		synctest.Wait()
		return shrink(s, ctx)
	}
	for name, c := range map[string]struct {
		kind devicetest.Kind // of the call that is not answered
		call func(*Store, context.Context) error
	}{
		"end, at what is valid":      {devicetest.Write, end},
		"end, at the sync":           {devicetest.Sync, end},
		"end, at the last page":      {devicetest.WriteDurable, end},
		"leave, at the superblocks":  {devicetest.WriteDurable, leave},
		"resize, at a footer":        {devicetest.WriteDurable, shrink},
		"resize, at a discard":       {devicetest.Discard, shrink},
		"resize, behind another one": {devicetest.Discard, behind},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 12, Options{})
				k := keyOf(1)
				r.cache(k, 0, 9*lineBlocks)
				r.spill()
				release := r.hold(c.kind)
				ctx, cancel := context.WithTimeout(bg, 10*time.Second)
				defer cancel()
				start := time.Now()
				if err := c.call(r.s, ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				release()
				if err := c.call(r.s, bg); err != nil {
					t.Errorf("once it answers: %v", err)
				}
				if !r.s.health.down.Load() {
					r.close()
				}
			})
		})
	}
}
