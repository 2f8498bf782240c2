package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrWrongData is a verification that found sectors which no legal order of the writes explains. The report tells them.
var ErrWrongData = errors.New("wrong data")

// Run does what the options say. When ctx ends early, the report covers what was done until then. Verify may return a report and
// ErrWrongData.
func Run(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Report{}, err
	}
	t, err := open(ctx, o, o.Target)
	if err != nil {
		return Report{}, err
	}
	defer t.device.close()
	if o.Verify {
		return verify(ctx, t)
	}
	targets := []*target{t}
	if o.Versus != nil {
		other, err := open(ctx, o, *o.Versus)
		if err != nil {
			return Report{}, err
		}
		defer other.device.close()
		targets = append(targets, other)
	}
	if o.WarmUp {
		for _, t := range targets {
			if err := t.warmUp(ctx); err != nil {
				return Report{}, fmt.Errorf("warm-up: %w", err)
			}
		}
	}
	return measure(ctx, o, targets)
}

// measure drives one target in one slice, or two in alternating ones.
func measure(ctx context.Context, o Options, targets []*target) (Report, error) {
	drivers := make([]*driver, len(targets))
	for i, t := range targets {
		drivers[i] = newDriver(t)
	}
	rounds := 1
	if len(targets) > 1 {
		rounds = o.Rounds
	}
	span := o.Duration / time.Duration(rounds*len(targets))
	measured := make([][]slice, len(targets))
	for range rounds {
		for i, d := range drivers {
			if ctx.Err() != nil {
				break
			}
			stopProgress := d.progress(o.Progress)
			s, err := d.run(ctx, span)
			stopProgress()
			if err != nil {
				return Report{}, err
			}
			measured[i] = append(measured[i], s)
		}
	}
	report := Report{Result: targets[0].result(measured[0])}
	if len(targets) > 1 {
		report.Versus = compare(targets[1].result(measured[1]), measured[0], measured[1])
	}
	return report, nil
}

// compare makes the ratios round by round, so that what drifts during a run cancels out.
func compare(other Result, a, b []slice) *Versus {
	v := &Versus{Result: other, Rounds: min(len(a), len(b))}
	var iops, p50 []float64
	for i := range v.Rounds {
		if y := b[i].iops(); y > 0 {
			iops = append(iops, a[i].iops()/y)
		}
		if y := b[i].all().summary().P50; y > 0 {
			p50 = append(p50, a[i].all().summary().P50/y)
		}
	}
	v.IOPSRatio, v.P50Ratio = median(iops), median(p50)
	return v
}
