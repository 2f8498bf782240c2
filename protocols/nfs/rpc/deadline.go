package rpc

import "time"

// deadline keeps a connection's read or write deadline ahead. One goroutine's at a time.
type deadline struct {
	set func(time.Time) error
	at  time.Time
}

// extend gives the next read or write the time span by, or up to a quarter less: setting a deadline for every call would cost.
func (d *deadline) extend(by time.Duration) error {
	now := time.Now()
	if left := d.at.Sub(now); left <= by && left > by*3/4 {
		return nil
	}
	d.at = now.Add(by)
	return d.set(d.at)
}
