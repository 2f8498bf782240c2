package flash

import "time"

// idleAfter is how long nothing comes into a region that is being filled before it is written as it is: what is only in memory is lost when the
// process is killed, and a working set that is smaller than a region would be all of it.
const idleAfter = 5 * time.Second

// watch looks after a builder until it is sealed. mu is held.
func (f *fill) watch(b *builder) {
	var timer *time.Timer
	looked := b.used
	timer = time.AfterFunc(idleAfter, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case f.current != b || f.closing || f.s.health.down.Load():
		case b.used == 0 || b.used != looked || b.writers > 0 || !f.roomy():
			looked = b.used
			timer.Reset(idleAfter)
		default:
			f.seal()
		}
	})
}

// roomy says whether slots are plentiful, so that it costs nobody a place that a region is written with little in it. A tier that has filled up once
// loses one region of many.
func (f *fill) roomy() bool { return 2*len(f.free) > int(f.limit) }
