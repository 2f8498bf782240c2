package server

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs"
)

const complainEvery = time.Second

// complaints logs failures, of which there may be as many as requests: one in a second, and how many there were besides.
type complaints struct {
	log zerolog.Logger
	now func() time.Time
	mu  struct {
		sync.Mutex
		last     time.Time
		withheld int
	}
}

func (c *complaints) add(e *Export, p nfs.Procedure, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.mu.last) < complainEvery {
		c.mu.withheld++
		return
	}
	c.log.Warn().Err(err).Str("export", e.Path).Stringer("procedure", p).Int("withheld", c.mu.withheld).Msg("an NFS request fails")
	c.mu.last, c.mu.withheld = now, 0
}
