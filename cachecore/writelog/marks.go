package writelog

import (
	"encoding/binary"

	"forebay/cachecore"
)

// marks are what has been logged of one shard, in few words. They are a pure state machine over its records, the same while the log is written and
// when it is recovered.
//
// A record is dead if its order is below begin, or its number not above trim. The live ones are those from trim+1 to last, without a hole.
type marks struct {
	begin   uint64          // order of the record that began the shard anew
	trim    cachecore.Seq   // this one and older ones are on the array, or void
	last    cachecore.Seq   // the newest
	epoch   cachecore.Epoch // of the newest
	void    cachecore.Epoch // the highest below which records were declared void
	damaged cachecore.Seq   // if not 0: records may be missing from this one on; no new ones come before the shard begins anew
}

// dead says whether a record doesn't count any more.
func (m *marks) dead(order uint64, seq cachecore.Seq) bool { return order < m.begin || seq <= m.trim }

// apply tells the marks of the shard's next record.
func (m *marks) apply(d *descriptor) {
	switch {
	case d.Kind == kindState:
		*m = *d.state
	case d.Kind == kindTrim:
		m.trim = max(m.trim, d.Seq)
		m.last = max(m.last, m.trim)
		if m.trim == m.last && m.damaged <= m.trim {
			m.damaged = 0 // what is missing is on the array
		}
	case d.Kind == kindVoid:
		m.void = max(m.void, d.Epoch)
		m.trim = max(m.trim, d.Seq)
		m.last = max(m.last, m.trim)
		if d.Flags&flagAll != 0 {
			m.trim, m.begin, m.epoch, m.damaged = m.last, d.order, 0, 0
		}
	case d.Flags&flagMoved != 0:
		if d.Flags&flagLost != 0 && !m.dead(d.order, d.Seq) {
			m.doubt(d.Seq)
		}
	case d.Flags&flagFirst != 0:
		*m = marks{begin: d.order, trim: d.Seq - 1, last: d.Seq, epoch: d.Epoch, void: m.void}
	default:
		m.last, m.epoch = max(m.last, d.Seq), max(m.epoch, d.Epoch)
	}
}

// doubt says that records may be missing from seq on.
func (m *marks) doubt(seq cachecore.Seq) {
	if m.damaged == 0 || seq < m.damaged {
		m.damaged = max(seq, 1)
	}
}

// encode writes the marks where other records have their numbers.
func (m *marks) encode(b *[maxDescriptor]byte) {
	le := binary.LittleEndian
	le.PutUint64(b[8:], uint64(m.epoch))
	le.PutUint64(b[16:], uint64(m.last))
	le.PutUint64(b[24:], m.begin)
	le.PutUint64(b[32:], uint64(m.trim))
	le.PutUint64(b[40:], uint64(m.void))
	le.PutUint64(b[64:], uint64(m.damaged))
}

func (m *marks) decode(b []byte) {
	le := binary.LittleEndian
	*m = marks{
		epoch: cachecore.Epoch(le.Uint64(b[8:])), last: cachecore.Seq(le.Uint64(b[16:])), begin: le.Uint64(b[24:]),
		trim: cachecore.Seq(le.Uint64(b[32:])), void: cachecore.Epoch(le.Uint64(b[40:])), damaged: cachecore.Seq(le.Uint64(b[64:])),
	}
}
