package iscsi

import (
	"context"
	"time"
)

// poll asks the array now and then whether there is news. It tells who sends it a command, and a cache that answers everything sends none: others
// may have taken the LUN, which shows in an attention.
func (a *Array) poll() {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.probe(a.life)
		case <-a.life.Done():
			return
		}
	}
}

// probe sends a TEST UNIT READY as if a caller had, so that what it is told is seen to.
func (a *Array) probe(ctx context.Context) {
	o := a.newOp(false)
	defer a.recycle(o)
	o.command.In, o.command.Out, o.command.CDB = nil, nil, [16]byte{}
	if err := a.run(ctx, o); err != nil {
		a.opts.Log.Debug().Str("target", a.opts.Target).Err(err).Msg("TEST UNIT READY")
	}
}
