package api

import (
	"context"
	"fmt"
)

// Flash is a pool's flash tier since it was opened. Blocks are of 4 KiB.
type Flash struct {
	State      string `json:"state"` // ok, failed, removed
	Reason     string `json:"reason,omitempty"`
	Bytes      int64  `json:"bytes"`
	UsedBytes  int64  `json:"usedBytes"`
	IndexBytes int64  `json:"indexBytes"`
	// HitRate is the share of the blocks that were not in RAM, 0 to 1, that were here.
	HitRate          float64 `json:"hitRate"`
	HitBlocks        uint64  `json:"hitBlocks"`
	MissedBlocks     uint64  `json:"missedBlocks"`
	MismatchedBlocks uint64  `json:"mismatchedBlocks"` // that were not what had been written
	AdmittedBlocks   uint64  `json:"admittedBlocks"`
	RefusedBlocks    uint64  `json:"refusedBlocks"` // the day's writes are spent, or the device or the index has no room
	WrittenBytes     uint64  `json:"writtenBytes"`
	WriteBudget      int64   `json:"writeBudget"` // bytes a day
}

// FlashOperation is the body of a POST to /api/v1/pools/NAME/flash: a new size, or that it goes.
type FlashOperation struct {
	Bytes  int64 `json:"bytes,omitempty"`
	Remove bool  `json:"remove,omitempty"`
}

func (op FlashOperation) do(ctx context.Context, pool string, o TierOperator) error {
	switch {
	case op.Remove && op.Bytes == 0:
		return o.RemoveFlash(ctx, pool)
	case !op.Remove && op.Bytes > 0:
		return o.ResizeFlash(ctx, pool, op.Bytes)
	default:
		return fmt.Errorf("%w: either a size, or that it is to be removed", ErrRefused)
	}
}
