package writeback

import (
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writelog"
)

// interval is a stretch of the log on its way to the array: open, the newest, while records are appended to it; closed from then on, when the last of
// them has an outcome. It is guarded by its Array's mu.
type interval struct {
	index   *index
	first   cachecore.Seq       // the number of the first record
	places  []writelog.Position // of the records' data, by their numbers from first on
	began   time.Time           // the first record was answered; zero: none was
	upto    cachecore.Seq       // the last record's
	records int64               // answered
	size    int64               // bytes of all records' data, as they came
	pending int                 // appended, and not answered
	closed  bool
	awaited bool // it is to be closed and carried when it is the oldest
	readers int  // that may be reading where its index says

	quiet chan struct{} // closed when it is closed and nothing is pending; made by close
	free  chan struct{} // closed when nobody reads there; made by retire
}

func newInterval() *interval { return &interval{index: newIndex()} }

// place notes where a record's data lie. Records are entered in their order; later they may be placed anew.
func (iv *interval) place(seq cachecore.Seq, at writelog.Position) {
	if len(iv.places) == 0 {
		iv.first = seq
	}
	for uint64(len(iv.places)) <= uint64(seq-iv.first) {
		iv.places = append(iv.places, 0)
	}
	iv.places[seq-iv.first] = at
}

// at is where a record's data lie now.
func (iv *interval) at(seq cachecore.Seq) writelog.Position { return iv.places[seq-iv.first] }

// answered enters a record that is durable now.
func (iv *interval) answered(seq cachecore.Seq, size int64) {
	if iv.records == 0 {
		iv.began = time.Now()
	}
	iv.records++
	iv.size += size
	iv.upto = max(iv.upto, seq)
}

// left is the end of an append.
func (iv *interval) left() {
	if iv.pending--; iv.pending == 0 && iv.closed {
		close(iv.quiet)
	}
}

// close ends it: nothing is appended from now on. It returns what is closed when all has an outcome.
func (iv *interval) close() <-chan struct{} {
	iv.closed = true
	iv.quiet = make(chan struct{})
	if iv.pending == 0 {
		close(iv.quiet)
	}
	return iv.quiet
}

// retire returns what is closed when nobody reads where it says any more. It must not be found by then.
func (iv *interval) retire() <-chan struct{} {
	iv.free = make(chan struct{})
	if iv.readers == 0 {
		close(iv.free)
	}
	return iv.free
}

// release is the end of a reader.
func (iv *interval) release() {
	if iv.readers--; iv.readers == 0 && iv.free != nil {
		close(iv.free)
	}
}
