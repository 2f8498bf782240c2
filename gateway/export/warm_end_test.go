package export

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/nfs"
)

// mute is a filer that may answer nothing.
type mute struct {
	nfs.FileSystem
	now   atomic.Bool
	asked atomic.Int32
}

func (s *mute) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if s.now.Load() {
		s.asked.Add(1)
		<-ctx.Done()
		return nfs.ErrAway
	}
	return s.FileSystem.Do(ctx, c, p, a, r)
}

// A filer that is silent takes all of the end's time for the last witnesses. Nothing is under way by then.
func TestAnEndInWhichTheFilerIsSilentIsInOrder(t *testing.T) {
	inLives(t, func(l *lives) {
		filer := &mute{FileSystem: l.net.FileSystem}
		l.net.FileSystem = filer
		h := l.mem.Put("a", blocks('a', 8))
		l.cache(h)
		l.root.Write(h, 0, nfs.FileSync, []byte("b")) // so that it has no witness
		filer.now.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), lastPatience/2)
		defer cancel()
		began := time.Now()
		if err := l.export.Close(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != lastPatience/2 || filer.asked.Load() == 0 {
			t.Errorf("it takes %v, and asks %d times", took, filer.asked.Load())
		}
		filer.now.Store(false)
	})
}
