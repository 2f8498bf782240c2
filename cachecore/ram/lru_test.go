package ram

// lru is the twin that S3-FIFO is compared with.
type lru struct {
	sh *shard
	q  queue
}

func newLRU(sh *shard) policy { return &lru{sh: sh, q: newQueue(&sh.links)} }

func (p *lru) admit(slot, _ uint32) {
	p.sh.meta[slot] = 0
	p.q.push(slot)
}

func (p *lru) touch(slot uint32) {
	p.q.remove(slot)
	p.q.push(slot)
}

func (p *lru) replace(old, slot uint32) {
	p.sh.meta[slot] = 0
	p.q.replace(old, slot)
}

func (p *lru) remove(slot uint32) { p.q.remove(slot) }

func (p *lru) victim() uint32 {
	for range min(maxPinned, p.q.n) {
		slot := p.q.oldest
		p.q.remove(slot)
		if p.sh.refs[slot].Load() == 0 {
			return slot
		}
		p.q.push(slot)
	}
	return none
}

func (p *lru) pass() {}

func (p *lru) fit(int) func() { return func() {} }
