package bench

import (
	"strings"
	"testing"
)

func TestASectorTellsWhatIsWrongWithIt(t *testing.T) {
	good := make([]byte, sectorSize)
	sector{run: 7, address: 42, version: 3, writer: 5}.encode(good)
	if s, problem := decode(good, 7, 42); problem != "" || s.version != 3 || s.writer != 5 {
		t.Fatalf("%+v, %q", s, problem)
	}
	for name, c := range map[string]struct {
		change       func(p []byte)
		run, address uint64
		want         string
	}{
		"zeros":         {func(p []byte) { clear(p) }, 7, 42, "no sector of ours"},
		"elsewhere":     {func([]byte) {}, 7, 43, "belongs elsewhere"},
		"another run":   {func([]byte) {}, 8, 42, "another run"},
		"a flipped bit": {func(p []byte) { p[300] ^= 1 }, 7, 42, "wrong checksum"},
		"version":       {func(p []byte) { p[24]++ }, 7, 42, "wrong checksum"},
		"torn": {func(p []byte) {
			other := make([]byte, sectorSize)
			sector{run: 7, address: 42, version: 4, writer: 5}.encode(other)
			copy(p[256:], other[256:])
		}, 7, 42, "wrong checksum"},
	} {
		p := append([]byte(nil), good...)
		c.change(p)
		if _, problem := decode(p, c.run, c.address); !strings.Contains(problem, c.want) {
			t.Errorf("%s: %q", name, problem)
		}
	}
}

func TestPlacementsStayWithinTheirPart(t *testing.T) {
	for _, o := range []Options{{Seed: 1, Sessions: 3}, {Seed: 2, Sessions: 2, Shared: true}, {Seed: 3, Sessions: 4, BlockSize: 8192}} {
		for _, block := range []int{512, 4096} {
			v := &verifier{t: &target{opts: o, block: block}, sectors: 1024}
			for session, end := 0, 0; session < o.Sessions; session++ {
				p := v.newPlacement(session, uint64(session))
				if o.Shared && (p.first != 0 || p.last != 1024) || !o.Shared && (p.first < end || p.last == p.first) {
					t.Errorf("%+v: session %d has sectors %d to %d, the one before up to %d", o, session, p.first, p.last, end)
				}
				end = p.last
				for range 2000 {
					first, n := p.next()
					if n < 1 || first < p.first || first+n > p.last || p.last > 1024 || first*sectorSize%block != 0 || n*sectorSize%block != 0 {
						t.Fatalf("%+v, block %d: sectors %d+%d of %d..%d", o, block, first, n, p.first, p.last)
					}
				}
			}
		}
	}
}
