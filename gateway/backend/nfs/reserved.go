package nfs

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"syscall"
)

// The ports that clients of NFS call from by custom: below 1024, which makes a filer believe that the user ids come from a root; above those that
// have well-known servers.
const (
	firstReserved = 665
	lastReserved  = 1023
)

// dialReserved connects from a reserved port: many filers refuse calls from others. Who isn't allowed to, or finds them all in use, connects
// from any port.
func dialReserved(ctx context.Context, network, address string) (net.Conn, error) {
	const ports = lastReserved - firstReserved + 1
	first := rand.IntN(ports)
	for i := range ports {
		from := net.Dialer{LocalAddr: &net.TCPAddr{Port: firstReserved + (first+i)%ports}}
		c, err := from.DialContext(ctx, network, address)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
				break
			}
			var dial *net.OpError
			if errors.As(err, &dial) {
				dial.Source = nil // another one each time: it would make news of the same trouble
			}
			return c, err
		}
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
