package writelog

// AppendLater is an Append that may wait for a Kick, which the caller sees to before he waits for anything: so that what comes together is written together.
func (l *Log) AppendLater(r Record, data [][]byte, done func(at Position, err error)) error {
	return l.append(r, data, done)
}

// kickBatches bounds what a Kick does for others, and for those whom it has answered.
const kickBatches = 16

// Kick has what has been appended written: on a device that answers at once by the caller himself, where nothing has to be moved for that; else by the
// log's goroutine, for which nobody waits. Unlike the log's other calls it may be made from a done.
func (l *Log) Kick() {
	if l.options.Immediate && l.turn.TryLock() {
		l.kicking.Store(true)
		for n := 0; n < kickBatches && l.roomy() && l.batch(); n++ {
		}
		l.kicking.Store(false)
		l.turn.Unlock()
	} else if l.kicking.Load() {
		return // who kicks looks again
	}
	l.awake()
}

// roomy says whether segments are so many that nothing is moved yet. The turn is the caller's.
func (l *Log) roomy() bool { return l.toCome() > l.reserve+max(1, l.segments/8) }
