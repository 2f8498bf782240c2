package bench

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
)

func randomSeed() uint64 {
	var p [8]byte
	_, _ = crand.Read(p[:]) // never fails
	return binary.LittleEndian.Uint64(p[:]) | 1
}

// pattern chooses the blocks of one slot, as indexes below count. One goroutine's at a time.
type pattern struct {
	count  uint64
	rng    *rand.Rand
	zipf   *rand.Zipf     // nil: all alike
	cursor *atomic.Uint64 // sequential: shared by the slots of a session; nil: random
	step   uint64         // scatters the ranks of zipf over the blocks; coprime to count
}

func newPattern(o Options, count, stream uint64, cursor *atomic.Uint64) *pattern {
	p := &pattern{count: count, rng: rand.New(rand.NewPCG(o.Seed, stream))}
	if !o.Random {
		p.cursor = cursor
	}
	if o.Zipf > 0 {
		p.zipf = rand.NewZipf(p.rng, o.Zipf, 1, count-1)
		p.step = coprime(count)
	}
	return p
}

func (p *pattern) next() uint64 {
	switch {
	case p.cursor != nil:
		return (p.cursor.Add(1) - 1) % p.count
	case p.zipf != nil:
		// Rank r is the block r*step mod count: each block has one rank, and popular ones don't lie together.
		return mulMod(p.zipf.Uint64(), p.step, p.count)
	}
	return p.rng.Uint64N(p.count)
}

// percent says yes n times in a hundred.
func (p *pattern) percent(n int) bool {
	return n >= 100 || n > 0 && p.rng.IntN(100) < n
}

// coprime returns a number near count's golden section that shares no divisor with it.
func coprime(count uint64) uint64 {
	for step := uint64(float64(count)*0.618) | 1; ; step += 2 {
		if gcd(step, count) == 1 {
			return step
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// mulMod is a*b mod m for a, b below 2^32 or so: LUNs have no more blocks than that many times a few.
func mulMod(a, b, m uint64) uint64 {
	if m < 1<<32 {
		return a % m * (b % m) % m
	}
	var r uint64
	for a %= m; b > 0; b >>= 1 {
		if b&1 == 1 {
			r = (r + a) % m
		}
		a = a * 2 % m
	}
	return r
}
