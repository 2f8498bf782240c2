package arraytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"forebay/cachecore"
)

// Kind of an operation.
type Kind int

// The kinds.
const (
	Read Kind = iota
	Write
	Flush
	Unmap
	Zero
)

func (k Kind) String() string { return [...]string{"read", "write", "flush", "unmap", "zero"}[k] }

// Op is one operation as the medium sees it.
type Op struct {
	Kind     Kind
	Off, Len int64 // bytes
	FUA      bool  // of a Write
	Unmap    bool  // of a Zero
}

// Stage is a moment in an operation.
type Stage int

// Before: nothing has happened. After: it took effect and is not answered yet.
const (
	Before Stage = iota
	After
)

// Interceptor is called at both stages of every operation, from its goroutine. Its error is the operation's answer: what fails Before
// does nothing, what fails After has been done. It may block.
type Interceptor func(ctx context.Context, op Op, at Stage) error

// Intercept sets the interceptor; nil removes it.
func (m *Mem) Intercept(f Interceptor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.intercept = f
}

// Held is one operation that a test has stopped, or is about to.
type Held struct {
	at      Stage
	match   func(Op) bool
	arrived chan struct{}
	answer  chan error
	once    sync.Once
}

// Hold stops the next operation that match accepts (nil: any) at that stage.
func (m *Mem) Hold(at Stage, match func(Op) bool) *Held {
	h := &Held{at: at, match: match, arrived: make(chan struct{}), answer: make(chan error, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.holds = append(m.mu.holds, h)
	m.mu.held = append(m.mu.held, h)
	return h
}

// LetGo releases all that is held, and what is yet to be: for the end of a test that may have failed.
func (m *Mem) LetGo() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.mu.held {
		h.Release(nil)
	}
}

// Arrived is closed once the operation is stopped.
func (h *Held) Arrived() <-chan struct{} { return h.arrived }

// Release lets it go on; err, if not nil, is its answer. Only the first call counts. An operation that has not arrived yet won't stop.
func (h *Held) Release(err error) { h.once.Do(func() { h.answer <- err }) }

// Of matches operations of a kind that touch the byte at off.
func Of(kind Kind, off int64) func(Op) bool {
	return func(op Op) bool { return op.Kind == kind && op.Off <= off && off < op.Off+op.Len }
}

// pass takes an operation through a stage. One whose context ends does so with that error; if it has taken effect by then, or if it
// changes the medium and was held, its outcome counts as unknown.
func (m *Mem) pass(ctx context.Context, op *Op, at Stage) error {
	m.mu.Lock()
	intercept := m.mu.intercept
	var held *Held
	i := slices.IndexFunc(m.mu.holds, func(h *Held) bool { return h.at == at && (h.match == nil || h.match(*op)) })
	if i >= 0 {
		held = m.mu.holds[i]
		m.mu.holds = slices.Delete(m.mu.holds, i, i+1)
	}
	m.mu.Unlock()
	if held != nil {
		close(held.arrived)
		select {
		case err := <-held.answer:
			if err != nil {
				return err
			}
		case <-ctx.Done():
		}
	}
	if intercept != nil {
		if err := intercept(ctx, *op, at); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		if op.Kind != Read && (at == After || held != nil) {
			return fmt.Errorf("%v: %w", op.Kind, errors.Join(cachecore.ErrUnknownOutcome, err))
		}
		return fmt.Errorf("%v: %w", op.Kind, err)
	}
	return nil
}
