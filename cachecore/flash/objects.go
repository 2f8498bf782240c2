package flash

import (
	"sync"

	"forebay/cachecore"
)

// objects are the address spaces that have pieces or are attached, by number. A number is not used twice while the process lives: what is
// still under way for an object that was dropped can't land in another. mu is a leaf.
type objects struct {
	mu    sync.Mutex
	byKey map[Key]uint32
	byID  map[uint32]object
	last  uint32
	limit int
	inUse int // that have handles
}

// object is what is known of one. Its epochs are those under which what it holds was offered.
type object struct {
	key           Key
	oldest, epoch cachecore.Epoch
	pieces        int32
	handles       int32
	dropped       bool // no key leads here any more; its pieces hold nothing
}

// objectsPer is how many lines of the device there are for each object that may be known: an object costs about 150 bytes.
const (
	objectsPer  = 64
	minObjects  = 16 << 10
	objectBytes = 150
)

func (t *objects) init(lines int) {
	t.byKey = make(map[Key]uint32)
	t.byID = make(map[uint32]object)
	t.grow(lines)
}

func (t *objects) grow(lines int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = max(t.limit, minObjects, lines/objectsPer)
}

// find returns the number of a key, and what is known; 0: nothing.
func (t *objects) find(k Key) (uint32, object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.byKey[k]
	return id, t.byID[id]
}

// get is false once the object is dropped, or gone.
func (t *objects) get(id uint32) (object, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ob, ok := t.byID[id]
	return ob, ok && !ob.dropped
}

// attach names a key by the number that it has, or by a new one; 0: there is no room.
func (t *objects) attach(k Key, now cachecore.Epoch) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enter(k, now, 0, t.limit)
}

// rename is attach for an object that has just been dropped. It had a place, which its pieces hold until their regions go, so it may have one beyond the
// limit: who uses it doesn't ask again.
func (t *objects) rename(k Key, now cachecore.Epoch) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enter(k, now, 0, t.limit+t.limit/4)
}

// load is attach for what a footer holds: so many pieces. The epochs are widened.
func (t *objects) load(ob footerObject, pieces int) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enter(ob.key, ob.epoch, pieces, t.limit)
}

// enter names a key. No pieces: a handle is.
func (t *objects) enter(k Key, epoch cachecore.Epoch, pieces, limit int) uint32 {
	id := t.byKey[k]
	if id == 0 {
		if len(t.byID) >= limit || t.last == none-1 {
			return 0
		}
		t.last++
		id = t.last
		t.byKey[k] = id
		t.byID[id] = object{key: k, oldest: epoch}
	}
	ob := t.byID[id]
	ob.oldest, ob.epoch = min(ob.oldest, epoch), max(ob.epoch, epoch)
	ob.pieces += int32(pieces)
	if pieces == 0 {
		if ob.handles == 0 {
			t.inUse++
		}
		ob.handles++
	}
	t.byID[id] = ob
	return id
}

// detach gives a handle's claim back.
func (t *objects) detach(id uint32) {
	t.change(id, func(ob *object) { ob.handles = max(0, ob.handles-1) })
}

// drop makes a number unknown to all who ask by key.
func (t *objects) drop(id uint32) {
	t.change(id, func(ob *object) {
		if t.byKey[ob.key] == id {
			delete(t.byKey, ob.key)
		}
		ob.handles, ob.dropped = 0, true
	})
}

// hold counts pieces; false: the object is dropped, or gone.
func (t *objects) hold(id uint32, pieces int) bool {
	held := false
	t.change(id, func(ob *object) {
		if !ob.dropped {
			ob.pieces += int32(pieces)
			held = true
		}
	})
	return held
}

// release takes pieces off.
func (t *objects) release(id uint32, pieces int) {
	t.change(id, func(ob *object) { ob.pieces -= int32(pieces) })
}

// change alters what is known of a number, and forgets it when nothing needs it any more.
func (t *objects) change(id uint32, f func(*object)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ob, ok := t.byID[id]
	if !ok {
		return
	}
	was := ob.handles > 0
	f(&ob)
	if was && ob.handles == 0 {
		t.inUse--
	}
	if ob.pieces > 0 || ob.handles > 0 {
		t.byID[id] = ob
		return
	}
	delete(t.byID, id)
	if t.byKey[ob.key] == id {
		delete(t.byKey, ob.key)
	}
}

// idle says whether there are objects that nobody uses: their pieces hold their places.
func (t *objects) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID) > t.inUse
}

func (t *objects) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

func (t *objects) bytes() int64 { return int64(t.count()) * objectBytes }
