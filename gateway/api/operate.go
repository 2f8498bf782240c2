package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Operator is what the server has the gateway do. An error that wraps ErrNotFound names a volume or pool that is not there, one that wraps ErrRefused something
// that can't be done.
type Operator interface {
	// SetWrite changes when writes of a volume are acknowledged: through, back, or with "" as its configuration says.
	SetWrite(ctx context.Context, volume, write string) error
	// Drain returns when the array has all that was acknowledged before.
	Drain(ctx context.Context, volume string) error
	// PauseWriteback is write-through for a time, after which the policy is what it was. 0 ends the pause.
	PauseWriteback(ctx context.Context, volume string, ttl time.Duration) error
	// Barrier returns when the array has all that was acknowledged before, and keeps it as it is for the time of the hold. 0 ends a hold.
	Barrier(ctx context.Context, volume string, hold time.Duration) error
	// DeclareLost gives up what a volume that is offline for it has acknowledged, and its array lacks. It takes effect at the next start.
	DeclareLost(ctx context.Context, volume string) error
	TierOperator
}

// The errors of an Operator.
var (
	ErrNotFound = errors.New("there is none of that name")
	ErrRefused  = errors.New("refused")
)

// Operation is the body of a POST to /api/v1/volumes/NAME/OPERATION: what of it the operation knows.
type Operation struct {
	Write string `json:"write,omitempty"` // of policy
	TTL   string `json:"ttl,omitempty"`   // of pause-writeback, as 30m
	Hold  string `json:"hold,omitempty"`  // of barrier
	// AcceptDataLoss has to be said of recover.
	AcceptDataLoss bool `json:"acceptDataLoss,omitempty"`
}

// maxOperation is the longest body in bytes.
const maxOperation = 4096

// operations are the handlers of what changes something.
func operations(mux *http.ServeMux, o Operator) {
	handle := func(name string, do func(ctx context.Context, volume string, op Operation) error) {
		mux.HandleFunc("POST /api/v1/volumes/{name}/"+name, func(w http.ResponseWriter, r *http.Request) {
			var op Operation
			if err := decode(w, r, &op); err != nil {
				http.Error(w, "the body: "+err.Error(), http.StatusBadRequest)
				return
			}
			unhurried(w)
			answer(w, do(r.Context(), r.PathValue("name"), op))
		})
	}
	handle("policy", func(ctx context.Context, volume string, op Operation) error { return o.SetWrite(ctx, volume, op.Write) })
	handle("drain", func(ctx context.Context, volume string, _ Operation) error { return o.Drain(ctx, volume) })
	handle("pause-writeback", func(ctx context.Context, volume string, op Operation) error {
		return timed(op.TTL, func(d time.Duration) error { return o.PauseWriteback(ctx, volume, d) })
	})
	handle("barrier", func(ctx context.Context, volume string, op Operation) error {
		return timed(op.Hold, func(d time.Duration) error { return o.Barrier(ctx, volume, d) })
	})
	handle("recover", func(ctx context.Context, volume string, op Operation) error {
		if !op.AcceptDataLoss {
			return fmt.Errorf("%w: it gives up acknowledged writes, which has to be accepted", ErrRefused)
		}
		return o.DeclareLost(ctx, volume)
	})
	handle("drop-cache", func(ctx context.Context, volume string, _ Operation) error { return o.DropCache(ctx, volume) })
	tierOperations(mux, o)
}

// errTime is a time that is none.
var errTime = errors.New("not a time such as 30m")

func timed(text string, do func(time.Duration) error) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errTime
	}
	return do(d)
}

// unhurried lets an operation take its time: the server's limit on answers is for those that are there at once. A client that goes away ends the operation.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // what has no connection has no deadline
}

func answer(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errTime):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, ErrRefused):
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}
