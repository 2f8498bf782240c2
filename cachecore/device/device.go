package device

import (
	"errors"
	"fmt"
	"unsafe"
)

// Unit is the grain of offsets and lengths, in bytes.
const Unit = 4096

// The errors of a device. What is none of them is an error of the medium.
var (
	ErrUnsupported = errors.New("not supported by the device")
	ErrInUse       = errors.New("device is in use")
	ErrBroken      = errors.New("device failed before") // what was answered since the last Sync may be lost
)

// Device is a medium of Size bytes.
type Device interface {
	// Size in bytes, a multiple of Unit. It does not shrink while the device is open.
	Size() int64
	// ReadAt fills all of p or fails.
	ReadAt(p []byte, off int64) error
	// WriteAt writes all of p or fails. What it has answered, later reads see, but a power cut may take it, in any part and any order,
	// until a Sync that began afterwards is answered. After an error any of the sectors may have been written. p is not kept.
	WriteAt(p []byte, off int64) error
	// WriteDurable is a WriteAt that no power cut takes once it is answered. It says nothing about the writes before it.
	WriteDurable(p []byte, off int64) error
	// Sync makes durable whatever was answered before it. After an error of Sync or WriteDurable both fail with ErrBroken for good: the
	// kernel tells a failed write-back only once, so a later success would prove nothing.
	Sync() error
	// Discard tells the medium that a range is not needed. It reads as anything afterwards. ErrUnsupported where there is nothing to tell.
	Discard(off, n int64) error
	Close() error
}

// Buffer makes n bytes that begin on a page. Go's collector does not move what it manages.
func Buffer(n int) []byte {
	b := make([]byte, n+Unit)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (Unit - 1)
	return b[skip:][:n:n]
}

// Check holds a request against the rules of a device of that size; every Device begins with it.
func Check(size int64, p []byte, off int64) error {
	if uintptr(unsafe.Pointer(unsafe.SliceData(p)))%Unit != 0 && len(p) > 0 {
		return fmt.Errorf("a buffer of %d bytes that does not begin on a page", len(p))
	}
	return CheckRange(size, off, int64(len(p)))
}

// CheckRange is Check for requests without a buffer.
func CheckRange(size, off, n int64) error {
	switch {
	case off%Unit != 0 || n%Unit != 0:
		return fmt.Errorf("%d bytes at %d are not whole units of %d", n, off, Unit)
	case off < 0 || n < 0 || off > size || n > size-off:
		return fmt.Errorf("%d bytes at %d are beyond the end of the device, %d", n, off, size)
	}
	return nil
}
