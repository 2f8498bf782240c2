package ram

// s3fifo is S3-FIFO (Yang et al., SOSP 2023): new blocks pass through a small queue, and only those touched there, or seen again soon after
// they left it, enter the main one. A scan flows through the small queue and leaves the main one alone.
//
// Touches within a short while of the last counted one, or of the arrival, are correlated (one reader going over a block in pieces, a
// read and its write) and count once. Time is the number of admissions of the shard; while somebody walks over it (Walk), a while has passed after some
// seconds at the latest.
//
// The state of a slot, in 32 bits: time of the last counted touch (27), touched since its content came (1), main queue (1), hidden (1, the shard's),
// frequency (2).
type s3fifo struct {
	sh          *shard
	small, main queue
	ghosts      ghost
	now         uint32
	window      uint32 // in admissions
	smallTarget int
}

const (
	freqMask   = 3
	inMain     = 1 << 2
	hidden     = 1 << 3
	again      = 1 << 4
	timeShift  = 5
	timeMask   = 1<<(32-timeShift) - 1
	smallShare = 10 // the small queue's target is 1/10 of the slots
	windowPart = 8  // the window is 1/8 of the small queue
)

func newS3FIFO(sh *shard) policy {
	p := &s3fifo{sh: sh, small: newQueue(&sh.links), main: newQueue(&sh.links)}
	p.fit(int(sh.limit))()
	return p
}

// fit forgets who left lately: that has not the same place in a table of another size.
func (p *s3fifo) fit(slots int) func() {
	ghosts := newGhost(slots)
	return func() {
		p.ghosts = ghosts
		p.smallTarget = max(1, slots/smallShare)
		p.window = uint32(p.smallTarget / windowPart)
	}
}

func (p *s3fifo) queueOf(slot uint32) *queue {
	if p.sh.meta[slot]&inMain != 0 {
		return &p.main
	}
	return &p.small
}

func (p *s3fifo) admit(slot, hash uint32) {
	p.now = (p.now + 1) & timeMask
	p.sh.meta[slot] = p.now << timeShift
	if p.ghosts.recall(hash) {
		p.sh.meta[slot] |= inMain
	}
	p.queueOf(slot).push(slot)
}

func (p *s3fifo) touch(slot uint32) {
	m := p.sh.meta[slot]
	if (p.now-m>>timeShift)&timeMask < p.window {
		return
	}
	if m&freqMask < freqMask {
		m++
	}
	p.sh.meta[slot] = m&(1<<timeShift-1) | again | p.now<<timeShift
}

func (p *s3fifo) replace(old, slot uint32) {
	p.sh.meta[slot] = p.sh.meta[old] &^ (hidden | again)
	p.queueOf(old).replace(old, slot)
}

func (p *s3fifo) pass() { p.now = (p.now + p.window) & timeMask }

func (p *s3fifo) remove(slot uint32) { p.queueOf(slot).remove(slot) }

func (p *s3fifo) victim() uint32 {
	for pinned, spared := 0, 0; pinned < maxPinned && p.small.n+p.main.n > 0; {
		q := &p.main
		if p.main.n == 0 || p.small.n >= p.smallTarget && pinned < maxPinned/2 {
			q = &p.small
		}
		slot := q.oldest
		q.remove(slot)
		switch {
		case p.sh.refs[slot].Load() != 0:
			q.push(slot)
			pinned++
		case p.sh.meta[slot]&freqMask != 0 && spared < maxSpared:
			p.spare(slot)
			spared++
		default:
			if q == &p.small {
				p.ghosts.remember(uint32(p.sh.hash(key(p.sh.keys[slot]))))
			}
			return slot
		}
	}
	return none
}

// spare takes a touched slot back: from the small queue into the main one, where each further round costs one touch.
func (p *s3fifo) spare(slot uint32) {
	if p.sh.meta[slot]&inMain != 0 {
		p.sh.meta[slot]--
	} else {
		p.sh.meta[slot] = p.sh.meta[slot]&^freqMask | inMain
	}
	p.main.push(slot)
}
