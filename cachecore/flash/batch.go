package flash

import "forebay/cachecore"

// Batch is content on its way into the store: blocks of one line, which the holder fills and then publishes or abandons, once, and soon: the
// region that they are part of waits. It is one goroutine's. Its zero value has no blocks.
type Batch struct {
	s    *Store
	room reserved
	i    int    // of the line: the first block that was asked for
	want blocks // of the line
}

// Prepare notes that blocks of one line were wanted and weren't here, and makes room for those of them that were wanted before, as far as the
// write budget goes. Which ones says Bytes. What Invalidate is called for meanwhile is not to be published: see Publish.
func (o *Object) Prepare(first cachecore.Block, n int) Batch {
	return o.prepare(first, n, (*shard).admit, missed)
}

// PrepareHot is Prepare of blocks that somebody else knows to be wanted again and again: it makes room for all that aren't here, as far as the write budget
// goes, of which it leaves the other half to Prepare.
func (o *Object) PrepareHot(first cachecore.Block, n int) Batch {
	return o.prepare(first, n, (*shard).lacks, brought)
}

// prepare makes room for those of the blocks that the shard says.
func (o *Object) prepare(first cachecore.Block, n int, which func(sh *shard, object, line uint32, b blocks) blocks, from origin) Batch {
	line, i, ok := lineOf(first)
	if !ok || n <= 0 || i+n > lineBlocks || !o.s.enter() {
		return Batch{}
	}
	sh, object := o.shard(line), o.id.Load()
	want := which(sh, object, line, (1<<n-1)<<i)
	if want == 0 {
		o.s.leave()
		return Batch{}
	}
	room, ok := o.s.fill.reserve(sh, object, line, want, from)
	if !ok {
		o.s.leave()
		return Batch{}
	}
	return Batch{s: o.s, room: room, i: i, want: want}
}

// admit returns those blocks of a line that are not here and were wanted before.
func (sh *shard) admit(object, line uint32, b blocks) blocks {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.ghost.touch(sh.hash(object, line), b&^sh.holds(object, line))
}

// lacks returns those blocks of a line that are not here.
func (sh *shard) lacks(object, line uint32, b blocks) blocks {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return b &^ sh.holds(object, line)
}

// Bytes is where the i-th block of those that Prepare was asked for goes, to be filled whole before Publish; nil if it is not to be kept.
func (b *Batch) Bytes(i int) []byte {
	i += b.i
	if i >= lineBlocks || b.want>>i&1 == 0 {
		return nil
	}
	return b.room.b.buf.block(b.room.at + uint32(popcount(b.want&(1<<i-1))))
}

// Publish makes the content what is found. From the call of Invalidate for a block until the write that it was called for has its new content
// on the array, nobody may publish that block: this is for the caller to keep, by the generation of the run (PROTOCOL G1).
func (b *Batch) Publish() {
	if b.want == 0 {
		return
	}
	var sums [lineBlocks]uint32
	for i := range popcount(b.want) {
		sums[i] = checksum(b.room.b.buf.block(b.room.at + uint32(i)))
	}
	b.room.publish(sums, b.want, none)
	b.end()
}

// publish makes blocks of the room found; with from, only those that the piece of that name still has.
func (r *reserved) publish(sums [lineBlocks]uint32, b blocks, from uint32) {
	sh := r.sh
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if from != none {
		b &= sh.piece(from).valid()
	}
	p := sh.piece(r.id)
	copy(p[headWords:], sums[:])
	if from == none { // else the floor is over the older copy
		r.b.buf.home.s.replaces(sh, p, b)
	}
	sh.publish(p, r.id, b)
	sh.ghost.forget(sh.hash(p.object(), p.line()), b)
}

// Abandon changes nothing.
func (b *Batch) Abandon() {
	if b.want != 0 {
		b.end()
	}
}

func (b *Batch) end() {
	b.s.fill.done(b.room.b)
	b.s.leave()
	b.want = 0
}
