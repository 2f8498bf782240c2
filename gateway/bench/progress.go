package bench

import (
	"fmt"
	"io"
	"time"
)

// progress writes a line each second until the function that it returns is called.
func (d *driver) progress(w io.Writer) (stop func()) {
	last := int64(0)
	return everySecond(w, func(second int) string {
		n := d.operations()
		line := fmt.Sprintf("%s %4d s %9d IOPS %8.1f MiB/s", d.t.name, second, n-last, float64((n-last)*int64(d.t.opts.BlockSize))/(1<<20))
		last = n
		return line
	})
}

// everySecond overwrites a line on a terminal.
func everySecond(w io.Writer, line func(second int) string) (stop func()) {
	if w == nil {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for second := 1; ; second++ {
			select {
			case <-ticker.C:
				_, _ = fmt.Fprintf(w, "\r%s\x1b[K", line(second))
			case <-quit:
				_, _ = fmt.Fprint(w, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}
