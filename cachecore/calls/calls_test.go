package calls

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestCloseWaitsForWhatIsUnderWayAndRefusesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Calls
		if !c.Enter() {
			t.Fatal("refused")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Close(ended); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if c.Enter() {
			t.Error("taken after the end")
		}
		c.Join()
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- c.Close(t.Context()) }()
		}
		c.Leave()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("closed though a call that was joined is under way")
		}
		c.Leave()
		for range 2 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
