package cachecore

import (
	"context"
	"errors"
)

// Array is one LUN, file or device of the storage behind: the medium of one object. All offsets and lengths are in bytes and
// multiples of Info().LogicalBlock, within [0, Info().Size). Calls may run concurrently; overlapping writes are the
// caller's to serialise (PROTOCOL B7). A nil error from WriteAt means that the array has answered; it is durable only after
// a later Flush, or at once with FUA.
type Array interface {
	// Info says what the array is now. Size may grow while it is attached.
	Info() ArrayInfo
	// ReadAt fills all of p or fails. p is page aligned where speed matters; adapters with direct I/O copy otherwise.
	ReadAt(ctx context.Context, p []byte, off int64) error
	// WriteAt writes all of p. ErrUnknownOutcome: it may have landed, in part, or may land yet (PROTOCOL E3). ErrUnavailable: it may
	// have landed too, but lands no more once another call is let through. The adapter does not keep p after it returns.
	WriteAt(ctx context.Context, p []byte, off int64, o WriteOptions) error
	// Flush makes every write that was answered before it durable, or says that it can't (PROTOCOL E1).
	Flush(ctx context.Context) error
	// Unmap gives the space of a range back. Afterwards it reads as zeros if Info().UnmapZeroes, else as anything.
	Unmap(ctx context.Context, off, length int64) error
}

// Zeroer is an Array that can write zeros without being sent them. With unmap it may also give the space back.
type Zeroer interface {
	WriteZeroes(ctx context.Context, off, length int64, unmap bool) error
}

// Launcher is an Array that may take a write without having its caller wait.
type Launcher interface {
	// Launchable says whether it would take a write of n bytes now.
	Launchable(n int) bool
	// Launch takes a write as of WriteAt without FUA, or says false and does nothing. It may wait for a Kick, which the caller sees to before he waits
	// for anything. done is called once, with the outcome, in a Kick or from another goroutine, and does not block. p is the array's until then.
	Launch(p []byte, off int64, done func(error)) bool
	// Kick has done what has been launched, or begins that. A done may call it.
	Kick()
}

// WriteOptions of one write.
type WriteOptions struct {
	FUA bool // durable before it is answered
}

// ArrayInfo describes an attached array.
type ArrayInfo struct {
	Size          int64  // bytes
	LogicalBlock  int    // bytes: the smallest unit of a read or write, 512 or 4096
	PhysicalBlock int    // bytes: what is written without a read-modify-write inside the array
	Thin          bool   // Unmap gives space back
	UnmapZeroes   bool   // LBPRZ: unmapped space reads as zeros
	UnmapGrain    int64  // bytes; 0: LogicalBlock
	WriteCache    bool   // answered writes may be lost in a power cut before Flush
	Interruptible bool   // a ReadAt ends soon after its context has, whatever the array does
	Identity      string // stable name of the medium: stored at first attach, verified before use (PROTOCOL D6)
}

// The errors of an array. Adapters wrap them with %w and the operation; whatever is none of them is a medium error.
var (
	// ErrUnavailable: away now, ask again later. A change may have been done, in whole or in part, but it lands no more once the
	// adapter lets another call through (PROTOCOL D2): asking for it again, before anything that overlaps, is right.
	ErrUnavailable    = errors.New("array unavailable")
	ErrUnknownOutcome = errors.New("outcome of the write unknown")
	ErrNoSpace        = errors.New("no space left on the array")
	ErrOutOfRange     = errors.New("beyond the end of the array")
	ErrReadOnly       = errors.New("array is read-only")
	ErrIdentity       = errors.New("not the array that was attached before") // PROTOCOL D6
	ErrUnsupported    = errors.New("not supported by the array")
)
