package iscsi

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// zeros is never written.
var zeros [4096]byte

// Unmap implements cachecore.Array. UNMAP asks for what the array may leave undone; where it promises that the space reads as zeros, WRITE
// SAME does it, which writes the zeros that can't be had by giving space back (SBC-3 5.44).
func (a *Array) Unmap(ctx context.Context, off, length int64) error {
	if err := a.call(ctx, off, length); err != nil {
		return err
	}
	defer a.calls.Done()
	if length == 0 {
		return nil
	}
	if !a.info.Load().Thin || a.noUnmap.Load() {
		return fmt.Errorf("unmap: %w", cachecore.ErrUnsupported)
	}
	err := a.inParts(ctx, off, length, unmap, a.limits.Load())
	if errors.Is(err, cachecore.ErrUnsupported) {
		a.noUnmap.Store(true)
	}
	return err
}

// WriteZeroes implements cachecore.Zeroer.
func (a *Array) WriteZeroes(ctx context.Context, off, length int64, giveBack bool) error {
	if err := a.call(ctx, off, length); err != nil {
		return err
	}
	defer a.calls.Done()
	if length == 0 {
		return nil
	}
	if a.noZero.Load() {
		return fmt.Errorf("zero: %w", cachecore.ErrUnsupported)
	}
	k := zero
	if giveBack {
		k = zeroUnmap
	}
	err := a.inParts(ctx, off, length, k, a.limits.Load())
	if errors.Is(err, cachecore.ErrUnsupported) {
		a.noZero.Store(true)
	}
	return err
}

// inParts makes a change without data, in commands that are as long as the array takes.
func (a *Array) inParts(ctx context.Context, off, length int64, k kind, l *limits) error {
	longest := l.longest(k)
	for begin, end := off, off+length; off < end; off += longest {
		n := min(longest, end-off)
		if err := a.clear(ctx, k, off, n, l); err != nil {
			return fmt.Errorf("%v %d bytes at %d: %w", k, n, off, partial(err, off > begin))
		}
	}
	return nil
}

func (a *Array) clear(ctx context.Context, k kind, off, length int64, l *limits) error {
	o := a.newOp(true)
	defer a.recycle(o)
	o.kind, o.off, o.len, o.fua = k, off, length, false
	l.compose(&o.command, k, nil, off, length)
	if err := a.retain(ctx, o); err != nil {
		return err
	}
	return a.run(ctx, o)
}

// longest is how many bytes one command of a kind may change.
func (l *limits) longest(k kind) int64 {
	blocks := l.same
	switch {
	case k == write:
		blocks = l.transfer
	case k == unmap && l.byUnmap:
		blocks = l.unmap
	}
	return blocks * int64(l.block)
}

// compose makes c the command of a change.
func (l *limits) compose(c *initiator.Command, k kind, data []byte, off, length int64) {
	lba, blocks := uint64(off)/uint64(l.block), uint32(length/int64(l.block))
	switch {
	case k == write:
		c.In, c.Out = nil, data
		c.Write(lba, blocks, false)
	case k == unmap && l.byUnmap:
		c.Unmap([]initiator.Extent{{LBA: lba, Blocks: blocks}})
	default:
		c.WriteZeroes(lba, blocks, k != zero && l.sameUnmap, zeros[:l.block])
	}
}
