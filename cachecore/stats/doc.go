// Package stats counts what a volume does: operations, blocks that the cache had, and three latencies, as the VM observed it, of what the
// cache answered (local), and of what waited for the array (datastore). Recording allocates nothing and takes no lock; the counters are
// spread over cache lines so that cores don't fight for one. A snapshot is not of one instant: each number in it is right by itself.
package stats

import "math/rand/v2"

// spread is how many copies of each counter there are; a power of two.
const spread = 4

// pick says which copy to use. The generator is the thread's own: no state is shared.
func pick() uint32 { return rand.Uint32() % spread }

// sampled is true once in 16 calls, at random.
func sampled() bool { return rand.Uint32()%16 == 0 }
