package writeback

import "forebay/cachecore"

// run is data that lies in one piece on the array.
type run struct {
	off, n int64
	pieces []piece // in order, without gaps
}

// runs calls f for the index's data in order of address, none longer than longest bytes, until it says no. None goes on where the next object begins, if
// each has stretch addresses: that is another one's content.
func (x *index) runs(longest, stretch int64, f func(run) bool) {
	var r run
	for _, b := range x.blocks() {
		start := int64(b) * cachecore.BlockSize
		var one [1]extent
		for _, e := range x.of(b, &one) {
			p := piece{off: start + int64(e.from), n: int64(e.to - e.from), seq: e.seq, skip: int64(e.skip)}
			if r.n > 0 && (p.off != r.off+r.n || r.n+p.n > longest || stretch > 0 && p.off%stretch == 0) {
				if !f(r) {
					return
				}
				r = run{}
			}
			r = r.with(p)
		}
	}
	if r.n > 0 {
		f(r)
	}
}

// with appends a piece, joined to the last one where it goes on in the same record.
func (r run) with(p piece) run {
	if len(r.pieces) == 0 {
		return run{p.off, p.n, []piece{p}}
	}
	r.n += p.n
	if last := &r.pieces[len(r.pieces)-1]; last.seq == p.seq && last.skip+last.n == p.skip {
		last.n += p.n
		return r
	}
	r.pieces = append(r.pieces, p)
	return r
}
