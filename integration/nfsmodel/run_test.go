package nfsmodel

import (
	"context"
	"errors"
	"flag"
	"testing"
)

var (
	operations = flag.Int("operations", 250, "of each phase of a seed")
	seeds      = flag.Int("seeds", 1, "how many")
	firstSeed  = flag.Uint64("seed", 1, "the first one")
)

func TestGaneshaIsWhatTheModelSays(t *testing.T) {
	g := startGanesha(t)
	for i := range *seeds {
		o := g.options(*firstSeed + uint64(i))
		o.Logf = t.Logf
		c, err := New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		checkAll(t, c, g.export)
	}
}

// checkAll does with c all that can be done while an export is served whose folder is at hand.
func checkAll(t *testing.T, c *Checker, folder string) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []func() error{
		func() error { return c.Run(ctx, *operations) },
		func() error { return c.Commit(ctx) },
		func() error { return c.Compare(folder) },
		func() error { return c.RunConcurrent(ctx, *operations) },
		func() error { return c.Run(ctx, *operations/4) },
		func() error { return c.Commit(ctx) },
		func() error { return c.Compare(folder) },
		func() error { return c.BehindTheBack(ctx, Folder(folder)) },
		func() error { return c.Run(ctx, *operations/4) },
		func() error { return c.Verify(ctx) },
		func() error { return c.Commit(ctx) },
		func() error { return c.Compare(folder) },
	} {
		if err := err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATrueServerPasses(t *testing.T) {
	for i := range *seeds {
		o := serve(t, newLiar())
		o.Seed += uint64(i)
		o.Operations = *operations
		if err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGaneshaMayBeKilled(t *testing.T) {
	g := startGanesha(t)
	o := g.options(*firstSeed)
	o.Logf = t.Logf
	c := open(t, o)
	stop := g.restarts()
	var err error
	for _, run := range []func(context.Context, int) error{c.Run, c.Run, c.RunConcurrent, c.RunConcurrent, c.Run} {
		if err == nil {
			err = run(t.Context(), *operations)
		}
	}
	if killed := stop(); err != nil || killed < 1 {
		t.Fatalf("%v; killed %d times", err, killed)
	}
	if err := errors.Join(c.Commit(t.Context()), c.Compare(g.export)); err != nil {
		t.Fatal(err)
	}
}
