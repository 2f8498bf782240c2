package flash

import (
	"errors"

	"forebay/cachecore"
)

// Key names an object for as long as the device lives, through restarts: a hash of the volume's identity and of the object in it.
type Key [16]byte

// ID is the device's incarnation: it changes with every Format. What carries another one isn't there.
type ID [16]byte

// seq numbers regions in the order in which they were begun, from 1 on, through restarts.
type seq = uint64

const (
	blockSize  = cachecore.BlockSize
	lineBlocks = 8
	// LineBlocks is how many blocks a line has: 32 KiB, aligned. A Batch is of one line.
	LineBlocks = lineBlocks

	lineBytes   = lineBlocks * blockSize
	extentLines = 128 // 4 MiB: what a mark is about
	maxBytes    = 8 << 40

	// MaxRead is the longest Read in blocks.
	MaxRead = 256

	// Blocks is how many blocks of an object can be cached: those before 128 TiB.
	Blocks = cachecore.Block(none) * lineBlocks

	none = ^uint32(0) // no chunk, and more than any number of a line or object
)

// The errors of a store. All of Open's mean that the device has nothing that may be served: Format it.
var (
	ErrNotFormatted = errors.New("not a flash tier")
	ErrDamaged      = errors.New("flash tier damaged: what it holds can't be proven fresh")
	ErrOther        = errors.New("another flash tier than the one that was expected")
	ErrTooSmall     = errors.New("too small for a flash tier")
	ErrFull         = errors.New("too many objects for the flash tier")
	ErrFailed       = errors.New("flash tier failed")
	ErrClosed       = errors.New("flash tier closed")
)

// Found says which blocks of a range are there, by their place in it.
type Found [MaxRead / 64]uint64

// Has says whether the i-th block is there.
func (f *Found) Has(i int) bool { return f[i/64]>>(i%64)&1 != 0 }

// All says whether the first n blocks are there.
func (f *Found) All(n int) bool {
	for i := range n {
		if !f.Has(i) {
			return false
		}
	}
	return true
}

func (f *Found) set(i int)   { f[i/64] |= 1 << (i % 64) }
func (f *Found) clear(i int) { f[i/64] &^= 1 << (i % 64) }

// mix spreads a number over 64 bits (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// within scales 32 bits of hash to [0, n).
func within(h uint32, n int) uint32 { return uint32(uint64(h) * uint64(n) >> 32) }
