package writelog

import (
	"errors"
	"fmt"

	"forebay/cachecore"
)

// Shard names a shard by a number that stays: a hash of the volume's identity and the slice or bucket, say.
type Shard uint64

// Kind of a record.
type Kind uint8

// What a client changes. Only Write has data.
const (
	Write Kind = 1 + iota
	Unmap
	Zero
	Resize  // SETATTR(size): Off is the new size
	Barrier // nothing but a place where the destager may cut

	kindTrim  Kind = 0x40 // Seq: the last record of the shard that is on the array
	kindVoid  Kind = 0x41 // Epoch: records of older ones don't count; Seq: the last such
	kindState Kind = 0x42 // what is known of the shard so far
)

func (k Kind) String() string {
	switch k {
	case Write, Unmap, Zero, Resize, Barrier:
		return [...]string{"write", "unmap", "zero", "resize", "barrier"}[k-Write]
	case kindTrim, kindVoid, kindState:
		return [...]string{"trim", "void", "state"}[k-kindTrim]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Flags of a record.
type Flags uint16

// The caller's flags; the log keeps them.
const (
	FlagApplied Flags = 1 << iota // the array has it (PROTOCOL B5b)
	FlagBarrier                   // the destager may cut behind it

	flagFirst Flags = 1 << 8  // older records of the shard don't count any more: here it begins anew
	flagMoved Flags = 1 << 9  // a copy of an older record, which it replaces
	flagLost  Flags = 1 << 10 // the copy of a record whose data could not be read
	flagAll   Flags = 1 << 11 // of a void: no record is left

	callersFlags = FlagApplied | FlagBarrier
)

const (
	// MaxObject is the longest name of an object, in bytes: an NFSv3 handle.
	MaxObject = 64
	// MaxName is how much of a shard's name is kept, in bytes.
	MaxName = 64
)

// Record is what is logged of one change.
type Record struct {
	Shard Shard
	Name  string // of the shard, for people: kept, cut to MaxName, when the shard is new to the log. Replay doesn't set it
	Epoch cachecore.Epoch
	Seq   cachecore.Seq // from 1, of each shard
	Kind  Kind
	Flags Flags
	// Object is of an export: the array's file handle. Empty: the LUN itself.
	Object []byte
	Off    int64 // bytes, of any alignment
	Len    int64
	// Sum is the caller's checksum of the record, which the log only keeps (PROTOCOL B2).
	Sum uint32
}

// Position is where a record's data lie on the device. It never equals that of other data, also after the space has been used again. 0: nowhere.
type Position uint64

// The errors of a log.
var (
	ErrNotFormatted = errors.New("not a write log")
	// ErrHalfFormatted is an ErrNotFormatted: what the device held was given up, and Format, or Erase, was cut short.
	ErrHalfFormatted = fmt.Errorf("%w: formatting it was interrupted", ErrNotFormatted)
	ErrDamaged       = errors.New("write log is damaged")
	ErrVersion       = errors.New("write log of another version")
	ErrFull          = errors.New("write log is full")
	ErrShards        = errors.New("write log has as many shards as it can keep")
	ErrOrder         = errors.New("record is out of order")
	ErrInvalid       = errors.New("not a record")
	ErrGone          = errors.New("position is no longer in the log")
	ErrFailed        = errors.New("write log has failed")
	ErrClosed        = errors.New("write log is closed")
)

// validate holds a record against what the log can take.
func (r *Record) validate(size, most int64) error {
	switch {
	case r.Kind < Write || r.Kind > Barrier:
		return fmt.Errorf("%w: %v", ErrInvalid, r.Kind)
	case r.Flags&^callersFlags != 0:
		return fmt.Errorf("%w: flags %#x", ErrInvalid, r.Flags)
	case len(r.Object) > MaxObject:
		return fmt.Errorf("%w: an object's name of %d bytes, at most %d", ErrInvalid, len(r.Object), MaxObject)
	case r.Off < 0 || r.Len < 0:
		return fmt.Errorf("%w: %d bytes at %d", ErrInvalid, r.Len, r.Off)
	case r.Seq == 0:
		return fmt.Errorf("%w: sequence number 0", ErrInvalid)
	case r.Kind == Write && size != r.Len, r.Kind != Write && size != 0:
		return fmt.Errorf("%w: %v of %d bytes with data of %d", ErrInvalid, r.Kind, r.Len, size)
	case size > most:
		return fmt.Errorf("%w: data of %d bytes, at most %d (MaxData)", ErrInvalid, size, most)
	}
	return nil
}
