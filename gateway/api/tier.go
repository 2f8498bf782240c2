package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// TierOperator is what the server has the gateway do with its tiers and with what they hold.
type TierOperator interface {
	// DropCache forgets all that is cached of a volume: its array was changed by others.
	DropCache(ctx context.Context, volume string) error
	// ResizeRAM makes a pool's RAM tier that large.
	ResizeRAM(ctx context.Context, pool string, bytes int64) error
	// ResizeFlash makes a pool's flash tier use that many bytes of its device.
	ResizeFlash(ctx context.Context, pool string, bytes int64) error
	// RemoveFlash takes a pool's flash tier out, for good.
	RemoveFlash(ctx context.Context, pool string) error
}

// RAMOperation is the body of a POST to /api/v1/pools/NAME/ram: a new size.
type RAMOperation struct {
	Bytes int64 `json:"bytes"`
}

func (op RAMOperation) do(ctx context.Context, pool string, o TierOperator) error {
	if op.Bytes <= 0 {
		return fmt.Errorf("%w: it takes a size", ErrRefused)
	}
	return o.ResizeRAM(ctx, pool, op.Bytes)
}

// tierOperations are the handlers of what changes tiers.
func tierOperations(mux *http.ServeMux, o TierOperator) {
	handleTier[RAMOperation](mux, "ram", o)
	handleTier[FlashOperation](mux, "flash", o)
}

func handleTier[T interface {
	do(ctx context.Context, pool string, o TierOperator) error
}](mux *http.ServeMux, tier string, o TierOperator) {
	mux.HandleFunc("POST /api/v1/pools/{name}/"+tier, func(w http.ResponseWriter, r *http.Request) {
		var op T
		if err := decode(w, r, &op); err != nil {
			http.Error(w, "the body: "+err.Error(), http.StatusBadRequest)
			return
		}
		unhurried(w)
		answer(w, op.do(r.Context(), r.PathValue("name"), o))
	})
}

// decode reads the body of an operation, in which nothing is unknown.
func decode(w http.ResponseWriter, r *http.Request, op any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOperation))
	d.DisallowUnknownFields()
	return d.Decode(op)
}
