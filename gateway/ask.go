package gateway

import (
	"context"
	"errors"

	"forebay/cachecore"
)

// with calls f with the array that is attached now.
func (a *attachment) with(f func(cachecore.Array) error) error {
	a.mu.Lock()
	array, calls := a.mu.array, a.mu.calls
	if array == nil {
		a.mu.Unlock()
		return cachecore.ErrUnavailable
	}
	calls.Add(1)
	a.mu.Unlock()
	defer calls.Done()
	err := f(array)
	if errors.Is(err, cachecore.ErrUnavailable) && !a.heals {
		select {
		case a.lost <- err:
		default:
		}
	}
	return err
}

// change is with for what changes the medium and may be lost after it was answered, until a flush.
func (a *attachment) change(f func(cachecore.Array) error) error {
	return a.with(func(array cachecore.Array) error {
		err := f(array)
		if err == nil {
			a.mu.Lock()
			a.mu.answered++
			a.mu.Unlock()
		}
		return err
	})
}

// Info is of the array attached now or last.
func (a *attachment) Info() cachecore.ArrayInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mu.info
}

func (a *attachment) ReadAt(ctx context.Context, p []byte, off int64) error {
	return a.with(func(array cachecore.Array) error { return array.ReadAt(ctx, p, off) })
}

func (a *attachment) WriteAt(ctx context.Context, p []byte, off int64, o cachecore.WriteOptions) error {
	ask := a.change
	if o.FUA {
		ask = a.with
	}
	return ask(func(array cachecore.Array) error { return array.WriteAt(ctx, p, off, o) })
}

// Flush covers the changes that were answered by this backend before it was called.
func (a *attachment) Flush(ctx context.Context) error {
	return a.with(func(array cachecore.Array) error {
		a.mu.Lock()
		covered := a.mu.answered
		a.mu.Unlock()
		if err := array.Flush(ctx); err != nil {
			a.unkept(ctx, err)
			return err
		}
		a.mu.Lock()
		a.mu.flushed = max(a.mu.flushed, covered)
		a.mu.Unlock()
		return nil
	})
}

// unkept notes that the medium has failed a flush. It says so once, to whoever asks, who may have nobody to tell; and what is gone may have been answered by an
// earlier life, of which nothing is counted.
func (a *attachment) unkept(ctx context.Context, err error) {
	if errors.Is(err, cachecore.ErrUnavailable) || ctx.Err() != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mu.answered++
}

func (a *attachment) Unmap(ctx context.Context, off, length int64) error {
	return a.change(func(array cachecore.Array) error { return array.Unmap(ctx, off, length) })
}

// WriteZeroes makes every attachment a cachecore.Zeroer; an array that is none says ErrUnsupported.
func (a *attachment) WriteZeroes(ctx context.Context, off, length int64, unmap bool) error {
	return a.change(func(array cachecore.Array) error {
		z, ok := array.(cachecore.Zeroer)
		if !ok {
			return cachecore.ErrUnsupported
		}
		return z.WriteZeroes(ctx, off, length, unmap)
	})
}
