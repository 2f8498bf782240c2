package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"forebay/cachecore"
	"forebay/cachecore/ram"
	"forebay/configs"
	"forebay/gateway/api"
)

// A RAM tier is resized while its volumes go on, within what was reserved for it.
func TestARAMTierIsResizedOnTheFly(t *testing.T) {
	p, err := newPool(configs.Tier{Pool: "fast", RAM: 2 * mib}, false, newLines(t).logger())
	if err != nil {
		t.Fatal(err)
	}
	lines := newLines(t)
	g := &Gateway{pools: map[string]*pool{"fast": p}, log: lines.logger()}
	for _, c := range []struct {
		pool  string
		bytes int64
		want  error
	}{
		{"fast", mib, nil}, {"fast", 4 * mib, nil}, {"fast", 3 * mib, nil},
		{"fast", mib - 1, api.ErrRefused}, {"fast", max(ram.MachineMemory(), 4*mib) + mib, api.ErrRefused}, {"none", mib, api.ErrNotFound},
	} {
		if err := g.ResizeRAM(context.Background(), c.pool, c.bytes); !errors.Is(err, c.want) {
			t.Errorf("%s to %d: %v", c.pool, c.bytes, err)
		}
	}
	lines.expect(3, "RAM tier resized")
	if s := p.store.Stats(); s.Bytes != 3*mib {
		t.Errorf("%+v", s)
	}
	if err := p.close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := g.ResizeRAM(context.Background(), "fast", mib); err == nil {
		t.Error("resized after its end")
	}
}

// pinned keeps what it is given.
type pinned struct {
	owner cachecore.Releaser
	token uint64
}

func (p *pinned) Add(_ []byte, owner cachecore.Releaser, token uint64) {
	p.owner, p.token = owner, token
}

// A reply that does not end keeps its memory; who resizes is told, and asks again.
func TestARAMTierThatIsInUseSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := newPool(configs.Tier{Pool: "fast", RAM: 2 * mib}, false, newLines(t).logger())
		if err != nil {
			t.Fatal(err)
		}
		for block := cachecore.Block(0); block < 2*mib/cachecore.BlockSize; block += ram.RunBlocks {
			b := p.store.Prepare(1, block, ram.RunBlocks)
			b.Publish()
		}
		var reply pinned
		if !p.store.ReadNow(1, 2*mib-cachecore.BlockSize, cachecore.BlockSize, &reply) {
			t.Fatal("it is not cached")
		}
		g := &Gateway{pools: map[string]*pool{"fast": p}, log: newLines(t).logger()}
		err = g.ResizeRAM(t.Context(), "fast", mib)
		says(t, err, "ask again", "4096 bytes")
		if errors.Is(err, api.ErrRefused) {
			t.Error(err)
		}
		if s := p.store.Stats(); s.Bytes != mib || s.UsedBytes > mib {
			t.Errorf("%+v", s)
		}
		reply.owner.Release(reply.token)
		if err := errors.Join(g.ResizeRAM(t.Context(), "fast", mib), p.close(t.Context())); err != nil {
			t.Error(err)
		}
	})
}
